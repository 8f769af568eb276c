/** Training with AdamW from the command line: it learns, and a killed run goes on to the same bits. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeCheckpoint } from '../../src/checkpoint/training-state.ts';
import { built, cli, makeImages, start, TINY, temporaryFolder } from './cli-process.ts';

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

  it('goes on after kill -9, again and again, with the same final bits', async () => {
    let run = start(folder, [...ARGS, '--out', 'killed', '--json']);
    await run.until(/"type":"step"/);
    for (const wait of [/"type":"checkpoint"/, /"type":"epoch"[\s\S]*"type":"epoch"/]) {
      run.child.kill('SIGKILL');
      await run.done;
      run = start(folder, ['train', '--resume', 'killed', '--json']);
      await run.until(wait);
    }
    run.child.kill('SIGKILL');
    await run.done;
    expect((await cli(folder, 'train', '--resume', 'killed')).code).toBe(0);
    for (const file of ['model.safetensors', 'fused.safetensors', join('checkpoints', 'best.safetensors')])
      expect(readFileSync(at('killed', file)).equals(readFileSync(at('whole', file))), file).toBe(true);
    const last = (name: string): unknown =>
      decodeCheckpoint(readFileSync(at(name, 'checkpoints', 'last.safetensors'))).state;
    expect(last('killed')).toEqual(last('whole'));
  });
});
