/** The parts of the emoji demo; the whole of it is run by `npm run demo -- --quick`. */
import sharp from 'sharp';
import { expect, test } from 'vitest';
import {
  chooseNames,
  type Hand,
  rasterize,
  readHand,
  SIDE,
  TRAINING_HANDS,
  UNSEEN_HAND,
} from '../../examples/emoji/emoji.ts';
import { nearestNeighbor } from '../../examples/emoji/nearest.ts';
import { scoreOf } from '../../examples/emoji/pictures.ts';
import { demoRecipe } from '../../examples/emoji/training.ts';

const hand = (name: string, names: readonly string[]): Hand => {
  const body = '<rect width="16" height="16" fill="#f00"/>';
  return { name, width: 16, height: 16, icons: Object.fromEntries(names.map((one) => [one, { body }])) };
};

test('names are those that every hand draws, at even distances in the alphabet', () => {
  const hands = [hand('a', ['d', 'x', 'c', 'b', 'a']), hand('b', ['a', 'b', 'y', 'c', 'd'])];
  expect(chooseNames(hands, 4)).toEqual(['a', 'b', 'c', 'd']);
  expect(chooseNames(hands, 2)).toEqual(['a', 'c']);
});

test('the seven hands share 879 names, of which the task takes a hundred', async () => {
  const hands = await Promise.all([...TRAINING_HANDS, UNSEEN_HAND].map(readHand));
  expect(chooseNames(hands, 879)[878]).toBe('zzz');
  const names = chooseNames(hands);
  expect(new Set(names).size).toBe(100);
  expect(names.slice(0, 3)).toEqual(['admission-tickets', 'ambulance', 'anxious-face-with-sweat']);
  await expect(readHand('no-such-hand')).rejects.toThrow(/missing/);
});

test('a picture is a white square with the drawing inside a margin', async () => {
  const { data, info } = await sharp(await rasterize(hand('a', ['b']), 'b'))
    .raw()
    .toBuffer({ resolveWithObject: true });
  expect(info).toMatchObject({ width: SIDE, height: SIDE, channels: 3 });
  expect([...data.subarray(0, 3)]).toEqual([255, 255, 255]);
  const center = (SIDE * (SIDE / 2) + SIDE / 2) * 3;
  expect([...data.subarray(center, center + 3)]).toEqual([255, 0, 0]);
});

test('the nearest neighbor does not mind brightness and contrast', () => {
  const known = { rows: [Uint8Array.of(0, 0, 200, 200), Uint8Array.of(200, 0, 200, 0)], labels: [7, 3] };
  const unseen = { rows: [Uint8Array.of(90, 91, 99, 98), Uint8Array.of(250, 10, 255, 0)], labels: [7, 7] };
  expect(nearestNeighbor(known, unseen)).toEqual({ top1: 50, top5: 100 });
});

test('accuracy of logits', () => {
  const data = Float32Array.from([3, 2, 1, 0, -1, -2, /* second */ 0, 5, 4, 3, 2, 1, /* third */ 0, 1, 2, 3, 4, 5]);
  expect(scoreOf({ shape: [3, 6], data }, [0, 2, 0])).toEqual({ top1: 100 / 3, top5: 200 / 3 });
});

test('the quick demo differs from the long one in length only', () => {
  const [quick, long] = [demoRecipe(true), demoRecipe(false)];
  expect({ ...quick, epochs: long.epochs }).toEqual(long);
  expect(quick.epochs).toBeLessThan(long.epochs);
});
