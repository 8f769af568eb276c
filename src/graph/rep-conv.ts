/** The branches of a `RepConv` node, in the order used everywhere: conv 0 … k−1, scale, skip. */
import type { ParamSpec } from './graph.ts';
import type { RepConvAttrs } from './kinds.ts';

export interface NormParams {
  readonly weight: string;
  readonly bias: string;
  readonly running_mean: string;
  readonly running_var: string;
}

export type Branch =
  | { readonly type: 'conv'; readonly weight: string; readonly norm: NormParams }
  | { readonly type: 'scale'; readonly weight: string; readonly norm: NormParams }
  | { readonly type: 'skip'; readonly norm: NormParams };

const NORM_ROLES = ['weight', 'bias', 'running_mean', 'running_var'] as const;

/** Role keys of each branch: a prefix inside `node.params`, and the timm path under the node's name. */
function branchKeys(attrs: RepConvAttrs): { type: Branch['type']; conv: string | undefined; norm: string }[] {
  const keys: { type: Branch['type']; conv: string | undefined; norm: string }[] = [];
  for (let i = 0; i < attrs.num_conv_branches; i++) {
    keys.push({ type: 'conv', conv: `conv_kxk.${i}.conv.weight`, norm: `conv_kxk.${i}.bn` });
  }
  if (attrs.scale) keys.push({ type: 'scale', conv: 'conv_scale.conv.weight', norm: 'conv_scale.bn' });
  if (attrs.skip) keys.push({ type: 'skip', conv: undefined, norm: 'identity' });
  return keys;
}

/** Lists the branches of a RepConv (or its gradient node) with the names of their parameters. */
export function branchesOf(node: {
  readonly attrs: RepConvAttrs;
  readonly params: Readonly<Record<string, string>>;
}): Branch[] {
  return branchKeys(node.attrs).map(({ type, conv, norm }) => {
    const name = (role: string): string => node.params[`${norm}.${role}`]!;
    const names: NormParams = {
      weight: name('weight'),
      bias: name('bias'),
      running_mean: name('running_mean'),
      running_var: name('running_var'),
    };
    return type === 'skip' ? { type, norm: names } : { type, weight: node.params[conv!]!, norm: names };
  });
}

/** Weight shape `[O, I/groups, K, K]` of a conv branch (also of the fused convolution). */
export function kernelShape(attrs: RepConvAttrs): [number, number, number, number] {
  return [attrs.out_chs, attrs.in_chs / attrs.groups, attrs.kernel_size, attrs.kernel_size];
}

/** Declares the parameters of a RepConv under a timm prefix: role → name, and name → spec. */
export function repConvParams(
  prefix: string,
  attrs: RepConvAttrs,
): { params: Record<string, string>; specs: Record<string, ParamSpec> } {
  const params: Record<string, string> = {};
  const specs: Record<string, ParamSpec> = {};
  const declare = (role: string, spec: ParamSpec): void => {
    params[role] = `${prefix}.${role}`;
    specs[`${prefix}.${role}`] = spec;
  };
  const [o, i] = kernelShape(attrs);
  for (const { type, conv, norm } of branchKeys(attrs)) {
    const kernel = type === 'scale' ? 1 : attrs.kernel_size;
    if (conv) declare(conv, { shape: [o, i, kernel, kernel], role: 'weight' });
    for (const role of NORM_ROLES) {
      const paramRole = role === 'weight' ? 'norm_weight' : role === 'bias' ? 'norm_bias' : role;
      declare(`${norm}.${role}`, { shape: [o], role: paramRole });
    }
  }
  return { params, specs };
}
