import { expect, test } from 'vitest';
import { closestMatch } from '../../src/core/errors.ts';

test.each([
  ['epoks', ['epochs', 'batch_size'], 'epochs'],
  ['trian', ['train', 'eval'], 'train'],
  ['pest', ['pets', 'home'], 'pets'],
  ['nope', ['home', 'work'], undefined],
  ['s9', ['s0', 's1'], 's0'],
  ['batchsize', ['batch_size', 'label_smoothing'], 'batch_size'],
  ['anything', [], undefined],
])('%s: did you mean …', (word, candidates, expected) => {
  expect(closestMatch(word, candidates)).toBe(expected);
});
