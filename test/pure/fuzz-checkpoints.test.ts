import { fuzzReaders } from './fuzz-checkpoints.ts';

// Ten thousand and more of each are in test/long.
fuzzReaders(300, 1);
