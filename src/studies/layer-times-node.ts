/** Single layers for studies: from the results store, or timed on the wasm engine. */
import type { Device } from '../bench/device.ts';
import { knownTimes } from '../bench/predict/known-times-node.ts';
import type { Results } from '../bench/results/store-node.ts';
import { nodeWasmEngine } from '../engine/wasm/node.ts';
import type { StudyContext } from './study.ts';

export interface LayerTimerOptions {
  readonly device: Device;
  /** Without it nothing is read or kept. */
  readonly results?: Results | undefined;
  readonly wide?: 'auto' | 'off' | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
}

/** Makes the `timeLayers` of a study's context. */
export function layerTimer({
  device,
  results,
  wide = 'auto',
  signal,
  onProgress = () => {},
}: LayerTimerOptions): NonNullable<StudyContext['timeLayers']> {
  return async (layers) => {
    const engine = await nodeWasmEngine({ threads: 1, wide });
    const { known, timed } = await knownTimes(engine, layers, {
      ...{ device, threads: 1, results },
      onLayer(done, total) {
        signal?.throwIfAborted();
        onProgress(done, total, 'timing layers');
      },
    });
    return [...known, ...timed];
  };
}
