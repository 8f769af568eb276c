/**
 * jax-js on its wasm backend: the training step of the same network, branches and BatchNorm written out, plain SGD. Arrays move
 * when they are used, hence the many `ref`.
 */
import type { Tensor } from '../../src/core/tensor.ts';
import { isLearnable } from '../../src/graph/graph.ts';
import { branchesOf } from '../../src/graph/rep-conv.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import { modelConfig } from '../../src/models/registry.ts';
import type { SideSpec } from '../spec.ts';
import type { BenchSubject } from '../subject.ts';
import type { Opened } from './peers.ts';

export async function openJax({ variant, k }: SideSpec, { state, feeds }: BenchSubject): Promise<Opened> {
  (globalThis as { navigator?: unknown }).navigator ??= {};
  const jax = await import('@jax-js/jax');
  const { numpy: np, lax, nn } = jax;
  type Arr = ReturnType<typeof np.zeros>;
  await jax.init('wasm');
  jax.defaultDevice('wasm');
  const model = mobileOne(modelConfig(variant, k ? { num_conv_branches: k } : {}));
  const names = Object.keys(model.params).filter((name) => isLearnable(model.params[name]!));
  const array = ({ shape, data }: Tensor): Arr => np.array(Float32Array.from(data)).reshape([...shape]);

  const normalize = (x: Arr, gamma: Arr, beta: Arr): Arr => {
    const channel = (v: Arr): Arr => v.reshape([1, -1, 1, 1]);
    const mean = np.mean(x.ref, [0, 2, 3], { keepdims: true });
    const centered = x.sub(mean);
    const variance = np.mean(centered.ref.mul(centered.ref), [0, 2, 3], { keepdims: true });
    return centered
      .div(np.sqrt(variance.add(1e-5)))
      .mul(channel(gamma))
      .add(channel(beta));
  };
  const loss = (params: Record<string, Arr>, input: Arr, target: Arr): Arr => {
    const take = (name: string): Arr => params[name]!.ref;
    const values = new Map<string, Arr>([['input', input]]);
    for (const node of model.nodes) {
      const x = values.get(node.inputs[0]!)!;
      let y: Arr;
      switch (node.kind) {
        case 'RepConv': {
          const { stride, groups, kernel_size } = node.attrs;
          const pad = (kernel_size - 1) / 2;
          const parts = branchesOf(node).map((branch): Arr => {
            const norm = (z: Arr): Arr => normalize(z, take(branch.norm.weight), take(branch.norm.bias));
            if (branch.type === 'skip') return norm(x.ref);
            const p = branch.type === 'scale' ? 0 : pad;
            const padding: [number, number][] = [
              [p, p],
              [p, p],
            ];
            const options = { featureGroupCount: groups };
            return norm(lax.convGeneralDilated(x.ref, take(branch.weight), [stride, stride], padding, options));
          });
          y = parts.reduce((a, b) => a.add(b));
          break;
        }
        case 'Relu':
          y = nn.relu(x.ref);
          break;
        case 'GlobalAveragePool':
          y = np.mean(x.ref, [2, 3]);
          break;
        case 'Gemm':
          y = np.dot(x.ref, np.transpose(take(node.params.weight!))).add(take(node.params.bias!));
          break;
        default:
          y = x.ref;
      }
      values.set(node.outputs[0]!, y);
    }
    const logits = values.get(model.outputs.logits!)!;
    return np.mean(np.sum(nn.logSoftmax(logits.ref, -1).mul(target), -1)).mul(-1);
  };
  const step = jax.jit((params: Record<string, Arr>, input: Arr, target: Arr) => {
    const [value, gradients] = jax.valueAndGrad(loss)(params, input, target) as [Arr, Record<string, Arr>];
    const next = Object.fromEntries(names.map((name) => [name, params[name]!.ref.sub(gradients[name]!.mul(0.01))]));
    return [value, next] as [Arr, Record<string, Arr>];
  });
  let params = Object.fromEntries(names.map((name) => [name, array(state.get(name)!)]));
  const [input, target] = [array(feeds.input!), array(feeds.target!)];
  return {
    runtime: '@jax-js/jax 0.1.25 (wasm)',
    run: async () => {
      const [value, next] = step(params, input.ref, target.ref) as unknown as [Arr, Record<string, Arr>];
      params = next;
      await value.data();
      return undefined;
    },
  };
}
