/** In which order an epoch takes the samples. */
import { permutation, random } from '../core/random.ts';

export type Sampler = 'shuffle' | 'balanced';

/** The samples `0 … labels.length − 1` in the order of an epoch, drawn from random(seed, epoch). */
export function epochOrder(labels: ArrayLike<number>, sampler: Sampler, seed: number, epoch: number): Int32Array {
  const order = permutation(labels.length, random(seed, epoch));
  return sampler === 'shuffle' ? order : balanced(order, labels);
}

/**
 * As many samples, every class equally often (one more or less): of a rare class some come again, of a frequent one some
 * are left out, others in the next epoch. Classes follow one another in turn, in another order each round of the epoch.
 */
function balanced(order: Int32Array, labels: ArrayLike<number>): Int32Array {
  const ofClass = new Map<number, number[]>();
  for (const index of order) {
    const own = ofClass.get(labels[index]!) ?? [];
    own.push(index);
    ofClass.set(labels[index]!, own);
  }
  // Classes by where they first come in the shuffled order: random, and named by the same numbers.
  const classes = [...ofClass.values()];
  return order.map((_, i) => {
    const round = Math.floor(i / classes.length);
    const members = classes[(i + round) % classes.length]!;
    return members[round % members.length]!;
  });
}
