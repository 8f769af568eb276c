/** Training with AdamW from the command line: it learns, and keeps what AdamW needs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCheckpoint } from '../../src/checkpoint/training-state.ts';
import { built, cli, makeImages, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
const ARGS = [
  ...['train', 'photos', ...TINY, '--optimizer', 'adamw', '--lr', '0.01', '--weight-decay', '0.05'],
  ...['--epochs', '12', '--checkpoint-every', '1e-9'],
];

describe.skipIf(!built)('AdamW (built)', () => {
  beforeAll(async () => {
    await makeImages(at('photos'), 12);
    expect((await cli(folder, ...ARGS, '--out', 'whole')).code).toBe(0);
  });
  afterAll(remove);

  it('learns to tell colors, and keeps both moments of every weight', () => {
    const events = readFileSync(at('whole', 'events.jsonl'), 'utf8').trim().split('\n');
    expect(JSON.parse(events.at(-1)!)).toMatchObject({ type: 'end', metrics: { valTop1: 100 } });
    const { state } = decodeCheckpoint(readFileSync(at('whole', 'checkpoints', 'last.safetensors')));
    for (const prefix of ['exp_avg', 'exp_avg_sq', 'ema'])
      expect(state.get(`${prefix}:stem.conv_scale.conv.weight`)!.data.some((value) => value !== 0)).toBe(true);
    expect([...state.keys()].some((name) => name.startsWith('momentum:'))).toBe(false);
  });
});
