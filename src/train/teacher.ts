/** A model that another one learns from: logits for the very images that the student sees. */
import { UserError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { LabeledBatch } from '../evaluate/evaluate.ts';
import { resizeRegion } from '../images/resize.ts';

export interface Teacher {
  /** What it is and how it is asked, for the events of a run. */
  readonly description: string;
  /** Logits `[N, classes]` in the student's order of classes, for a batch of a step of an epoch. */
  logits(batch: LabeledBatch, epoch: number, step: number): Promise<Tensor>;
  close(): Promise<void>;
}

/** A classifier as it is, before it teaches. */
export interface TeacherModel {
  readonly description: string;
  /** Class names in the order of its logits; undefined where it has none. */
  readonly classes: readonly string[] | undefined;
  /** Side of the images that it sees. */
  readonly size: number;
  /** Logits `[N, its classes]` of uint8 `[N, size, size, 3]`. */
  run(images: Tensor): Promise<Tensor>;
  dispose(): Promise<void>;
}

/** Logits that were computed before, by epoch: `[steps · batch, classes]` in the order of the epoch's positions. */
export interface TeacherCache {
  read(epoch: number): Promise<Float32Array | undefined>;
  write(epoch: number, logits: Float32Array): Promise<void>;
}

export interface TeachOptions {
  readonly classes: readonly string[];
  readonly stepsPerEpoch: number;
  readonly batchSize: number;
  /** Keeps what was computed; default: nothing is kept. */
  readonly cache?: TeacherCache | undefined;
}

/** Makes a model teach. Throws a UserError when its classes are not the student's. */
export function teach(model: TeacherModel, { classes, stepsPerEpoch, batchSize, cache }: TeachOptions): Teacher {
  const columns = columnsOf(model, classes);
  /** The epoch at hand: known before, or on the way to be, if it was begun at its start. */
  let current: { epoch: number; known?: Float32Array | undefined; made?: Float32Array | undefined } | undefined;
  const floats = batchSize * classes.length;
  return {
    description: model.description,
    async logits({ images }, epoch, step) {
      if (current?.epoch !== epoch) {
        const known = await cache?.read(epoch);
        const made = cache && !known && step === 0 ? new Float32Array(stepsPerEpoch * floats) : undefined;
        current = { epoch, known, made };
      }
      const { known, made } = current;
      const shape = [images.shape[0]!, classes.length];
      const at = step * floats;
      if (known) return { shape, data: known.subarray(at, at + shape[0]! * classes.length) };
      const data = pickColumns(await model.run(resized(images, model.size)), columns);
      if (made) {
        made.set(data, at);
        if (step === stepsPerEpoch - 1) await cache!.write(epoch, made);
      }
      return { shape, data };
    },
    close: () => model.dispose(),
  };
}

/** For each class of the student, the teacher's column. */
function columnsOf({ description, classes: own }: TeacherModel, classes: readonly string[]): number[] | undefined {
  if (own && own.length === classes.length && classes.every((name) => own.includes(name)))
    return classes.map((name) => own.indexOf(name));
  const unnamed = own?.every((name, i) => name === String(i)) ?? true;
  if (own && unnamed && own.length === classes.length) return classes.map((_, i) => i);
  if (own)
    throw new UserError(
      `The teacher (${description}) knows other classes than the images: ${own.length} (${own.slice(0, 3).join(', ')} …) instead of ${classes.length} (${classes.slice(0, 3).join(', ')} …).`,
      'A teacher must know the same classes. Train one on these images first: mobileone train DIR --pretrained FILE.',
    );
  return undefined;
}

function pickColumns({ shape, data }: Tensor, columns: readonly number[] | undefined): Float32Array {
  if (!columns) return Float32Array.from(data);
  const own = shape[1]!;
  return Float32Array.from(
    { length: shape[0]! * columns.length },
    (_, i) => data[Math.floor(i / columns.length) * own + columns[i % columns.length]!]!,
  );
}

/** Square images `[N, S, S, 3]` at another size. */
function resized(images: Tensor, size: number): Tensor {
  const [n, from] = images.shape as [number, number];
  if (from === size) return images;
  const data = images.data as Uint8Array;
  const [bytes, newBytes] = [from * from * 3, size * size * 3];
  const out = new Uint8Array(n * newBytes);
  const region = { x: 0, y: 0, width: from, height: from };
  for (let i = 0; i < n; i++) {
    const source = { width: from, height: from, channels: 3, data: data.subarray(i * bytes, (i + 1) * bytes) };
    resizeRegion(source, region, { out, offset: i * newBytes, width: size, height: size });
  }
  return { shape: [n, size, size, 3], data: out };
}
