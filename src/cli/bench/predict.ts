/** `mobileone bench MODEL --predict`: the sum of layer times against the measured whole. */
import { describeDevice } from '../../bench/device-node.ts';
import { measure, programSubject } from '../../bench/measure.ts';
import { knownTimes } from '../../bench/predict/known-times-node.ts';
import { layersOf } from '../../bench/predict/layers.ts';
import { layerTable, predictLatency } from '../../bench/predict/predict.ts';
import { makeSession } from '../../bench/results/session.ts';
import { openResults, resultsFolder } from '../../bench/results/store-node.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { openEngine } from '../open-engine.ts';
import { countProgress } from '../progress.ts';
import { type BenchFlags, openBench, protocolOf, threadCounts } from './flags.ts';
import { keepSession } from './measure-here.ts';
import { doubtLines, headLines, kindLines, ms } from './text.ts';

/** Predicts a model's latency here from the layers of the store, timing those it lacks, and measures how wrong that is. */
export async function predictHere(io: Io, target: string, flags: BenchFlags): Promise<number> {
  const protocol = protocolOf(flags);
  const threads = threadCounts(flags.threads)[0]!;
  const { forms, model } = await openBench(target, flags);
  const { graph, state, dims, feeds } = forms.at(-1)!;
  const engine = await openEngine({ threads, wide: flags.wide });
  const device = describeDevice();
  const layers = layersOf(graph, dims);
  const show = countProgress(io, flags.json === true);
  const { known, timed } = await knownTimes(engine, layers, {
    ...{ device, threads, results: openResults(resultsFolder(io.env)), save: flags.save },
    onLayer: (done, total) => show(done, total, 'timing layers'),
  });
  const beforehand = predictLatency(layers, layerTable(known));
  const prediction = predictLatency(layers, layerTable([...known, ...timed]));
  const subject = programSubject('fused', engine, { graph, state }, { dims, threads, feeds });
  const measurements = await measure([subject], protocol, { onRound: (done, total) => show(done, total, 'rounds') });
  const [measured] = measurements;
  const error = prediction.milliseconds / measured!.mean - 1;
  const session = makeSession({ model, protocol, device, measurements });
  if (flags.json) {
    const answer = { ...session, prediction, error, beforehand, layers: { known: known.length, timed: timed.length } };
    io.out(JSON.stringify(answer));
  } else {
    const percent = (share: number): string => `${share >= 0 ? '+' : ''}${(100 * share).toFixed(1)} %`;
    for (const line of [...headLines(session), '']) io.out(line);
    io.out(
      `predicted  ${ms(prediction.milliseconds)} ms  (95 %: ${ms(prediction.interval[0])} – ${ms(prediction.interval[1])}), the sum of ${layers.length} layers`,
    );
    io.out(`measured   ${ms(measured!.mean)} ms  (95 %: ${ms(measured!.interval[0])} – ${ms(measured!.interval[1])})`);
    io.out(`error      ${percent(error)}`);
    const unlike =
      beforehand.unknown.length > 0 ? `, ${beforehand.unknown.length} layers roughly, after other kinds` : '';
    io.out(
      timed.length === 0
        ? 'Every layer was in the table of this machine already.'
        : `${timed.length} shapes of layers were timed for it${beforehand.milliseconds > 0 ? `; from the ${known.length} known before, ${ms(beforehand.milliseconds)} ms were predicted (${percent(beforehand.milliseconds / measured!.mean - 1)}${unlike})` : ''}.`,
    );
    for (const line of ['', ...kindLines(prediction), ...doubtLines(measurements)]) io.out(line);
  }
  await keepSession(io, session, flags);
  return EXIT.ok;
}
