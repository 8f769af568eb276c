/** Ten thousand damaged files of every kind; MOBILEONE_FUZZ says how many, MOBILEONE_SEED which. */
import { fuzzReaders } from '../pure/fuzz-checkpoints.ts';

fuzzReaders(Number(process.env.MOBILEONE_FUZZ ?? 10_000), Number(process.env.MOBILEONE_SEED ?? Date.now() % 1_000_000));
