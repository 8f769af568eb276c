/**
 * The network of the paper's latency studies (§3.1, Tables 2 and 3) is "a 30-layer convolutional neural network", of which nothing else is
 * published. This one is ours: MobileOne's plain chain. Thirty convolutions, each with an activation behind it: a dense 3×3 stem, fourteen
 * pairs of a depthwise 3×3 and a pointwise convolution in stages of 2, 5, 6 and 1 (MobileOne has 2, 8, 10 and 1), a last pointwise one.
 * Channels double from stage to stage, from 64 behind the stem to 1024. No branches, no attention: what is added is what is studied.
 */
import { convAttrs, graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { seBlock, seChannels, seGate } from '../squeeze-excite.ts';
import { ACTIVATIONS, type ActivationName } from './activations.ts';
import { classifier } from './layers.ts';

const STEM = 64;
/** Pairs and channels of the stages, at strides 4, 8, 16 and 32. */
const STAGES = [
  { depth: 2, channels: 128 },
  { depth: 5, channels: 256 },
  { depth: 6, channels: 512 },
  { depth: 1, channels: 1024 },
] as const;
const LAST = 1024;

/**
 * What is added to each of the ten pairs that keep channels and size, behind its last activation:
 * `skip` the pair's input; `se` squeeze-and-excite (ratio 1/16); `se_skip` both; and the parts of `se` by themselves:
 * `gate` a factor and a summand a channel that are constants (as BatchNormalization), which moves the bytes of SE's multiplication and
 * waits for nothing; `pool` the global average pool, whose result goes to the output `pooled` and changes nothing; `excite` the pool and
 * the two small layers, whose gates go to that output.
 */
export type Addition = 'skip' | 'se' | 'se_skip' | 'gate' | 'pool' | 'excite';

export interface ThirtyLayersOptions {
  readonly activation?: ActivationName;
  readonly addition?: Addition;
}

/** Image `[N, 3, H, W]` → `logits` `[N, 1000]`; with `pool` or `excite` also `pooled` `[N, C, 1, 1]`. */
export function thirtyLayers({ activation = 'relu', addition }: ThirtyLayersOptions = {}): Graph {
  const g = graphBuilder('thirty_layers');
  const { build, gain = Math.SQRT2 } = ACTIVATIONS[activation];
  const vectors: string[] = [];
  const layer = (path: string, x: string, from: number, to: number, kernel: 1 | 3, stride = 1, group = 1): string => {
    const y = g.conv(path, x, to, from, convAttrs(kernel, stride, group));
    const std = gain / Math.sqrt(kernel * kernel * (group > 1 ? 1 : to));
    g.declare({ [`${path}.weight`]: { shape: [to, from / group, kernel, kernel], role: 'weight', std } });
    return build(g, `${path}.act`, y, to);
  };
  const added = (path: string, x: string, y: string, channels: number): string => {
    const squeezed = (from: string): string => seBlock(g, `${path}.se`, from, channels, seChannels(channels, 8));
    switch (addition) {
      case 'skip':
        return g.op('Add', `${path}.add`, [x, y], {});
      case 'se':
        return squeezed(y);
      case 'se_skip':
        return g.op('Add', `${path}.add`, [x, squeezed(y)], {});
      case 'gate': {
        const roles = {
          weight: 'norm_weight',
          bias: 'norm_bias',
          running_mean: 'running_mean',
          running_var: 'running_var',
        } as const;
        const params = Object.fromEntries(Object.keys(roles).map((role) => [role, `${path}.gate.${role}`]));
        g.declare(
          Object.fromEntries(
            Object.entries(roles).map(([role, as]) => [params[role]!, { shape: [channels], role: as }]),
          ),
        );
        return g.op('BatchNormalization', `${path}.gate`, [y], { epsilon: 1e-5 }, params);
      }
      case 'pool':
        vectors.push(g.op('GlobalAveragePool', `${path}.pool`, [y], {}));
        return y;
      case 'excite':
        vectors.push(seGate(g, `${path}.se`, y, channels, seChannels(channels, 8)));
        return y;
      case undefined:
        return y;
    }
  };

  let x = layer('stem', g.input('input', ['N', 3, 'H', 'W']), 3, STEM, 3, 2);
  let from = STEM;
  STAGES.forEach(({ depth, channels }, s) => {
    for (let pair = 0; pair < depth; pair++) {
      const path = `stages.${s}.${pair}`;
      const depthwise = layer(`${path}.dw`, x, from, from, 3, pair === 0 ? 2 : 1, from);
      const y = layer(`${path}.pw`, depthwise, from, channels, 1);
      x = pair === 0 ? y : added(path, x, y, channels);
      from = channels;
    }
  });
  x = layer('last', x, from, LAST, 1);
  const logits = classifier(g, 'head.fc', x, LAST);
  return g.build(vectors.length ? { logits, pooled: g.op('Concat', 'pooled', vectors, { axis: 1 }) } : { logits });
}
