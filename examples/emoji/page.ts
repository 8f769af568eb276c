/** What the demo's report shows. */
import { basename } from 'node:path';
import type {
  Bundle,
  Device,
  EpochMetrics,
  Measurement,
  ModelFile,
  Proof,
  Protocol,
  Recipe,
  ReportData,
  Tensor,
} from '../../src/node.ts';
import { TRAINING_HANDS, UNSEEN_HAND } from './emoji.ts';
import type { Task } from './pictures.ts';

export interface Score {
  readonly name: string;
  /** Percent. */
  readonly top1: number;
  readonly top5: number;
}

export interface DemoPage {
  readonly quick: boolean;
  readonly recipe: Recipe;
  readonly epochs: readonly EpochMetrics[];
  /** The nearest neighbor first. */
  readonly scores: readonly Score[];
  readonly task: Task;
  readonly model: ModelFile;
  /** Logits of the unseen pictures. */
  readonly logits: Tensor;
  readonly proof: Proof;
  readonly bundle: Bundle | undefined;
  readonly latency: { readonly rows: readonly Measurement[]; readonly protocol: Protocol; readonly device: Device };
  readonly notes: readonly string[];
}

const EXAMPLES = 12;
const MISTAKES = 8;
const percent = (value: number): string => `${value.toFixed(0)} %`;

/** Collects the report. Examples are every eighth name, so that none is picked by hand. */
export async function reportData(page: DemoPage): Promise<ReportData> {
  const { scores, task, epochs, latency, proof, bundle } = page;
  const [nearest, ...ours] = scores as [Score, ...Score[]];
  const fused = ours.find(({ name }) => name.includes('fused'))!;
  const probabilities = task.classes.map((_, n) => softmaxRow(page.logits, n));
  const step = Math.floor(task.classes.length / EXAMPLES);
  const examples = await Promise.all(
    Array.from({ length: EXAMPLES }, async (_, i) => {
      const n = i * step;
      const predictions = best(probabilities[n]!, 3).map((c) => ({
        name: task.classes[c]!,
        probability: probabilities[n]![c]!,
      }));
      return { picture: await task.png(n), label: task.classes[task.labels[n]!]!, predictions };
    }),
  );
  const { rows, protocol, device } = latency;
  const [unfusedRow, fusedRow] = ['train form, branches', 'fused'].map(
    (form) => rows.find(({ name }) => name === form)!,
  );
  return {
    title: 'A hundred emoji, drawn by a hand it has never seen',
    summary: `A small MobileOne learned 100 names from the drawings of ${TRAINING_HANDS.length} hands (${TRAINING_HANDS.join(', ')}), 600 pictures in all, and was tested on the 100 drawings of another, ${UNSEEN_HAND}. Names were taken at even distances from the alphabetical list of all that the seven share.`,
    headlines: [
      { value: percent(fused.top1), text: `of unseen drawings named right (top-5 ${percent(fused.top5)})` },
      { value: percent(nearest.top1), text: 'by the nearest neighbor on pixels' },
      { value: `${epochs.at(-1)!.seconds.toFixed(0)} s`, text: `of training on ${device.cores} cores` },
      {
        value: `${(unfusedRow!.mean / fusedRow!.mean).toFixed(1)}×`,
        text: 'as fast when fused, with the same answers',
      },
    ],
    epochs,
    baseline: { name: 'nearest neighbor', top1: nearest.top1 },
    results: {
      columns: ['on the unseen hand', 'top-1', 'top-5'],
      rows: scores.map(({ name, top1, top5 }) => [name, percent(top1), percent(top5)]),
    },
    examples,
    confused: {
      unit: 'probability of the wrong name (%)',
      pairs: await Promise.all(
        mistakes(probabilities, task.labels).map(async ({ n, predicted, probability }) => ({
          label: task.classes[task.labels[n]!]!,
          predicted: task.classes[predicted]!,
          value: 100 * probability,
          pictures: [await task.png(n), await task.png(predicted)] as const,
        })),
      ),
    },
    proofs: [
      { name: 'fused form against train form', proof },
      ...(bundle?.files ?? []).flatMap((file) =>
        'proof' in file ? [{ name: `${basename(file.path)} against the fused form`, proof: file.proof }] : [],
      ),
    ],
    latency: {
      rows,
      device,
      protocol: `One picture a run, ${protocol.rounds} rounds of ${protocol.runsPerRound} runs after ${protocol.warmup} to warm up, the ${protocol.trim} lowest and highest of each round cut away`,
    },
    recipe: { ...page.recipe },
    command: `npm run demo${page.quick ? ' -- --quick' : ''}`,
    notes: [
      `100 test pictures: one picture is one percent, and the 95 % interval of ${percent(fused.top1)} is about ± ${((196 * Math.sqrt((fused.top1 / 100) * (1 - fused.top1 / 100))) / 10).toFixed(0)} points.`,
      `An epoch of the curves is five passes over the training pictures.`,
      ...page.notes,
    ],
  };
}

function softmaxRow({ shape, data }: Tensor, n: number): Float64Array {
  const classes = shape[1]!;
  const row = Float64Array.from(data.subarray(n * classes, (n + 1) * classes));
  const max = Math.max(...row);
  const sum = row.reduce((total, value) => total + Math.exp(value - max), 0);
  return row.map((value) => Math.exp(value - max) / sum);
}

/** Indices of the most probable classes, most probable first. */
function best(row: Float64Array, count: number): number[] {
  return [...row.keys()].sort((a, b) => row[b]! - row[a]!).slice(0, count);
}

/** Wrong first answers, the surest first. */
function mistakes(
  probabilities: readonly Float64Array[],
  labels: Int32Array,
): { n: number; predicted: number; probability: number }[] {
  return probabilities
    .map((row, n) => {
      const [predicted] = best(row, 1) as [number];
      return { n, predicted, probability: row[predicted]! };
    })
    .filter(({ n, predicted }) => labels[n] !== predicted)
    .sort((a, b) => b.probability - a.probability)
    .slice(0, MISTAKES);
}
