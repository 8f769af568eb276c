/** How much of the random runs is made: all in `npm run test:long`, a part in the unit suite, for its time. */
const all = process.env.MOBILEONE_LONG === '1';

/** Part of the random runs. */
export const RANDOM_SHARE: number = all ? 1 : 0.4;

/** So many of a number of random runs. */
export const rounds = (count: number): number => Math.ceil(count * RANDOM_SHARE);
