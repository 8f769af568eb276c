/** The budgets of the project (what must hold on two cores), each with the stored rows that decide it. */
import type { Row } from './spec.ts';

export interface Budget {
  readonly what: string;
  readonly bound: string;
  /** The measured figure for one Node version and width; undefined: not measured. */
  measure(rows: readonly Row[], width: string): number | undefined;
  /** Whether the figure is good enough at a width. */
  met(value: number, width: string): boolean;
  readonly unit: string;
  /** Does not depend on the width of vectors. */
  readonly once?: true;
}

const at = (rows: readonly Row[], bench: string, subject: string, width: string, peer = ''): Row | undefined =>
  rows.find((row) => row.bench === bench && row.subject === `${subject}, ${width}` && row.peer.includes(peer));
const ratio = (bench: string, subject: string, peer: string) => (rows: readonly Row[], width: string) =>
  at(rows, bench, subject, width, peer)?.ratio ?? undefined;
const quotient =
  (bench: string, above: string, below: string) =>
  (rows: readonly Row[], width: string): number | undefined => {
    const [a, b] = [at(rows, bench, above, width), at(rows, bench, below, width)];
    return a && b ? a.value / b.value : undefined;
  };
const byWidth = (narrow: number, wide: number) => (value: number, width: string) =>
  value >= (width === '256 bit' ? wide : narrow);
const STEP = '224 px, batch 16, 2 threads';

export const BUDGETS: readonly Budget[] = [
  {
    what: 'training step S0 (k = 4), 224 px, batch 16, 2 threads: PyTorch takes … as long',
    bound: '≥ 3× (128 bit), ≥ 4.5× (256 bit)',
    measure: ratio('train', `S0, ${STEP}`, 'PyTorch'),
    met: byWidth(3, 4.5),
    unit: '×',
  },
  {
    what: 'the same, S1 (k = 1)',
    bound: '≥ 1.4× (128 bit), ≥ 2.2× (256 bit)',
    measure: ratio('train', `S1, ${STEP}`, 'PyTorch'),
    met: byWidth(1.4, 2.2),
    unit: '×',
  },
  {
    what: 'S0 training, k = 5 against k = 2',
    bound: '≤ 1.10×',
    measure: quotient('scale: train', `S0 k=5, ${STEP}`, `S0 k=2, ${STEP}`),
    met: (value) => value <= 1.1,
    unit: '×',
  },
  {
    what: 'S0 training, k = 4 against k = 1 in its cheapest form',
    bound: '≤ 1.5×',
    measure: quotient('scale: train', `S0 k=4, ${STEP}`, `S0 k=1, ${STEP}`),
    met: (value) => value <= 1.5,
    unit: '×',
  },
  {
    what: "peak memory of that S0 step: PyTorch's is … as large",
    bound: '≥ 2×',
    measure: ratio('memory', `S0, ${STEP}`, 'PyTorch'),
    met: (value) => value >= 2,
    unit: '×',
  },
  {
    what: 'inference S0, 1 thread, against the multiply-add limit of the width in use',
    bound: '≤ 1.2×',
    measure: (rows, width) => {
      const found = at(rows, 'limit', 'S0, 224 px, batch 1, 1 thread', width)?.ratio;
      return found ? 1 / found : undefined;
    },
    met: (value) => value <= 1.2,
    unit: '×',
  },
  {
    what: 'the same: LiteRT.js takes … as long',
    bound: '≥ 1.4× (128 bit), ≥ 1.2× (256 bit)',
    measure: ratio('infer', 'S0, 224 px, batch 1, 1 thread', 'LiteRT'),
    met: byWidth(1.4, 1.2),
    unit: '×',
  },
  {
    what: 'the same: onnxruntime-web takes … as long',
    bound: '≥ 1.9× (128 bit), ≥ 2.5× (256 bit)',
    measure: ratio('infer', 'S0, 224 px, batch 1, 1 thread', 'onnxruntime-web'),
    met: byWidth(1.9, 2.5),
    unit: '×',
  },
  {
    what: 'training, 2 threads against 1',
    bound: '≥ 1.85×',
    measure: quotient('scale: train', 'S0 k=4, 224 px, batch 16, 1 thread', `S0 k=4, ${STEP}`),
    met: (value) => value >= 1.85,
    unit: '×',
  },
  {
    what: 'inference, 2 threads against 1',
    bound: '≥ 1.7×',
    measure: quotient('scale: infer', 'S0, 224 px, batch 1, 1 thread', 'S0, 224 px, batch 1, 2 threads'),
    met: (value) => value >= 1.7,
    unit: '×',
  },
  {
    what: 'loader at 224 px, 2 workers, cache warm, against the training rate',
    bound: '≥ 4×',
    measure: (rows) => rows.find(({ bench }) => bench === 'loader')?.ratio ?? undefined,
    met: (value) => value >= 4,
    unit: '×',
    once: true,
  },
  {
    what: 'CLI start (`mobileone --help`)',
    bound: '≤ 150 ms',
    measure: (rows) => rows.find(({ bench }) => bench === 'start')?.value,
    met: (value) => value <= 150,
    unit: ' ms',
    once: true,
  },
];
