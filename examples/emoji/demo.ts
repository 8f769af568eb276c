/**
 * The whole job in about two minutes on two cores: draw the pictures, train, fuse with a proof, export, run the file in
 * ONNX Runtime, measure, and write a report. Usage: npm run demo [-- --quick]
 * Everything goes to runs/demo/.
 */
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Bundle,
  type BundledFile,
  describeDevice,
  type Engine,
  fuse,
  loadState,
  type Measurement,
  type ModelFile,
  measure,
  modelSubjects,
  nodeWasmEngine,
  openOnnx,
  type Proof,
  type Protocol,
  prove,
  renderReport,
  saveModel,
  shortProtocol,
  type Tensor,
  UserError,
  verifyBundle,
  withPreprocess,
  writeAtomic,
  writeBundle,
} from '../../src/node.ts';
import { drawTask, TRAINING_HANDS, UNSEEN_HAND } from './emoji.ts';
import { nearestNeighbor } from './nearest.ts';
import { reportData, type Score } from './page.ts';
import { loadPictures, scoreOf, type Task } from './pictures.ts';
import { demoRecipe, trainTask } from './training.ts';

const FOLDER = join('runs', 'demo');
const began = performance.now();

const say = (line = ''): void => console.log(line);
const heading = (title: string): void => say(`\n${title}  [${((performance.now() - began) / 1000).toFixed(0)} s]`);
const percent = (value: number): string => `${value.toFixed(0).padStart(3)} %`;

/** Runs a part that the demo can do without: what is missing is said, and the demo goes on. */
async function optional<T>(what: string, part: () => Promise<T>, notes: string[]): Promise<T | undefined> {
  try {
    return await part();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    notes.push(`${what} was left out: ${error.message} ${error.hint}`);
    say(notes.at(-1));
    return undefined;
  }
}

/** Logits `[100, classes]` of a model of either form on the unseen pictures. */
async function logitsOf(engine: Engine, model: Pick<ModelFile, 'graph' | 'state'>, task: Task): Promise<Tensor> {
  const [N, H, W] = task.test.shape as [number, number, number];
  const program = await engine.compile(withPreprocess(model.graph, task.preprocessing), { dims: { N, H, W } });
  try {
    loadState(program, model.state);
    return (await program.run({ image: task.test })).logits!;
  } finally {
    await program.dispose();
  }
}

/** What the first file of the bundle answers, in its own runtime. */
async function runFile({ files: [file] }: Bundle, task: Task): Promise<{ logits: Tensor; runtime: string }> {
  const session = await openOnnx(file!.path);
  try {
    return { logits: (await session.run({ image: task.test })).logits!, runtime: session.description };
  } finally {
    await session.dispose();
  }
}

async function demo(quick: boolean): Promise<void> {
  const notes: string[] = [];
  const recipe = demoRecipe(quick);
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER, { recursive: true });
  say(
    `mobileone demo${quick ? ' (quick)' : ''}: 100 emoji, ${TRAINING_HANDS.length} hands to learn from, one never seen (${UNSEEN_HAND})`,
  );

  heading('Draw');
  const data = await drawTask(join(FOLDER, 'pictures'));
  say(`${data.train.samples.length} pictures for training, ${data.val.samples.length} for testing`);
  const task = await loadPictures(data, recipe);
  const scores: Score[] = [
    { name: 'nearest neighbor on normalized pixels', ...nearestNeighbor(task.known, task.unseen) },
  ];
  say(`nearest neighbor on normalized pixels: top-1 ${percent(scores[0]!.top1)}, top-5 ${percent(scores[0]!.top5)}`);

  const engine = await nodeWasmEngine();
  const { description, threads } = engine.capabilities();
  heading(`Train on ${threads} thread${threads > 1 ? 's' : ''} (${description})`);
  const { model, epochs } = await trainTask(data, recipe, engine, join(FOLDER, 'cache'), say);
  await saveModel(join(FOLDER, 'model.safetensors'), model);

  heading('Fuse, with a proof');
  const fused: ModelFile = { ...model, ...fuse(model.graph, model.state), form: 'fused' };
  const forms = [model, fused].map(({ graph, state }) => ({ graph: withPreprocess(graph, task.preprocessing), state }));
  const proof: Proof = await prove(engine, forms[0]!, forms[1]!, [task.test, ...task.knownBatches]);
  await saveModel(join(FOLDER, 'fused.safetensors'), { ...fused, proof });
  say(
    `on ${proof.images} pictures the same answer ${proof.top1Agreement === 100 ? 'every time' : `on ${proof.top1Agreement.toFixed(2)} %`}; logits differ by at most ${proof.relativeDifference.toExponential(1)} of the largest`,
  );
  const trainLogits = await logitsOf(engine, model, task);
  scores.push({ name: 'MobileOne, train form', ...scoreOf(trainLogits, task.labels) });
  scores.push({ name: 'MobileOne, fused', ...scoreOf(await logitsOf(engine, fused, task), task.labels) });

  heading('Export');
  const bundle = await optional(
    'The export',
    () =>
      writeBundle(
        join(FOLDER, 'bundle'),
        { ...fused, proof },
        {
          engine,
          images: [task.test],
          details: {
            title: 'Emoji, 100 names',
            description: `Trained on drawings of ${TRAINING_HANDS.join(', ')}; metrics are on drawings of ${UNSEEN_HAND}, which it never saw.`,
            recipe,
            command: `npm run demo${quick ? ' -- --quick' : ''}`,
            license:
              'Weights for demonstration. The drawings have their own licenses; see the packages @iconify-json/*.',
          },
        },
      ),
    notes,
  );
  if (bundle) {
    const { logits, runtime } = await runFile(bundle, task);
    scores.push({ name: `model.onnx in ${runtime}`, ...scoreOf(logits, task.labels) });
    const [{ path, bytes }] = bundle.files as [BundledFile];
    say(`${path} (${(bytes / 1e6).toFixed(1)} MB) gives the same answers in ${runtime}`);
    const { findings, passed } = await verifyBundle(bundle.folder);
    say(`${bundle.folder}: ${findings.length} checks repeated, ${passed ? 'all well' : 'some failed'}`);
  }

  heading('Measure');
  const protocol: Protocol = quick ? shortProtocol(5, 20) : shortProtocol(20, 50);
  const { subjects, notes: missing } = await modelSubjects(model, { engine, threads: 1 });
  notes.push(...missing);
  missing.forEach((note) => {
    say(note);
  });
  const rows: Measurement[] = await measure(subjects, protocol);
  say(`${''.padEnd(40)}  minimum   median  milliseconds`);
  for (const { runtime, name, minimum, median } of rows) {
    const figures = [minimum, median].map((value) => value.toFixed(3).padStart(9)).join('');
    say(`${runtime.split(/[ ,]/)[0]!.padEnd(17)} ${name.padEnd(22)}${figures}`);
  }

  heading('Report');
  const path = join(FOLDER, 'report.html');
  const latency = { rows, protocol, device: describeDevice() };
  const page = { quick, recipe, epochs, scores, task, model, logits: trainLogits, proof, bundle, latency, notes };
  const html = await optional('The report', async () => renderReport(await reportData(page)), notes);
  if (html) await writeAtomic(path, html);

  const width = Math.max(...scores.map(({ name }) => name.length));
  say(`\n${'on the unseen hand'.padEnd(width)}  top-1  top-5`);
  for (const { name, top1, top5 } of scores) say(`${name.padEnd(width)}  ${percent(top1)}  ${percent(top5)}`);
  if (html) say(`\nreport: ${resolve(path)}`);
  say(`done in ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } });
await demo(values.quick).catch((error: unknown) => {
  if (!(error instanceof UserError)) throw error;
  console.error(`${error.message}\n${error.hint}`);
  process.exitCode = 1;
});
