/** Layer times out of the results store; those it lacks are timed and kept there. */
import type { Engine } from '../../engine/engine.ts';
import type { Device } from '../device.ts';
import { protocolHash } from '../protocol.ts';
import { layerRows, type Row } from '../results/columns.ts';
import { randomHex } from '../results/session.ts';
import type { Results } from '../results/store-node.ts';
import type { Layer, LayerTime } from './layers.ts';
import { LAYER_PROTOCOL, timeLayers } from './time-layers.ts';

export interface KnownTimesOptions {
  readonly device: Device;
  readonly threads: number;
  /** Where times are looked up; without it all layers are timed. */
  readonly results?: Results | undefined;
  /** Whether what was timed is kept there; default yes. */
  readonly save?: boolean;
  readonly onLayer?: (done: number, total: number) => void;
}

const timeOf = (row: Row): LayerTime => ({
  layer: {
    ...{ key: String(row.layer), kind: String(row.kind), macs: row.macs as number, bytes: row.bytes as number },
  },
  mean: row.mean_ms as number,
  interval: [row.low_ms as number, row.high_ms as number],
});

/** What the store knows of this machine on this engine, and what had to be timed beside it. */
export async function knownTimes(
  engine: Engine,
  layers: readonly Layer[],
  { device, threads, results, save = true, onLayer = () => {} }: KnownTimesOptions,
): Promise<{ readonly known: LayerTime[]; readonly timed: LayerTime[] }> {
  const on = { device, engine: engine.capabilities().description, threads, protocol: protocolHash(LAYER_PROTOCOL) };
  const rows = (await results?.read('layers'))?.rows ?? [];
  const known = rows
    .filter(
      (row) =>
        row.machine === device.machine &&
        row.engine === on.engine &&
        row.threads === threads &&
        row.protocol === on.protocol,
    )
    .map(timeOf);
  const keys = new Set(known.map(({ layer }) => layer.key));
  const missing = layers.filter(({ key }) => !keys.has(key));
  const timed = await timeLayers(engine, missing, { threads, onLayer });
  if (save) await results?.append('layers', layerRows(randomHex(8), timed, on));
  return { known, timed };
}
