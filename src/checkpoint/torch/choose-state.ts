/** Finds the weights in what a PyTorch file holds: a plain state dict, or one in a wrapper beside an optimizer and the like. */
import { UserError } from '../../core/errors.ts';
import type { StoredTensor, StoredTensors } from '../stored.ts';

export interface ChosenState {
  readonly tensors: StoredTensors;
  /** The keys of the wrappers that it was in. */
  readonly path: readonly string[];
  /** What else stood beside it. */
  readonly beside: readonly string[];
  /** Class names, where MMPretrain's `meta` has them. */
  readonly classes?: readonly string[];
}

/** Keys of wrappers, best first: averaged weights before plain ones, as timm chooses; MMEngine's `ema_state_dict` holds the plain ones. */
const WRAPPERS = [
  ...['state_dict_ema', 'model_ema', 'model_ema_state_dict', 'ema'],
  ...['state_dict', 'model_state_dict', 'model', 'net', 'network', 'module', 'weights', 'params', 'ema_state_dict'],
];
const MOST_LEVELS = 4;
const MOST_TENSORS = 100_000;

const isTensor = (value: unknown): value is StoredTensor =>
  typeof value === 'object' && value !== null && 'element' in value && 'shape' in value;

function hasTensors(value: unknown): boolean {
  return value instanceof Map && [...value.values()].some(isTensor);
}

/** Chooses the state dict of a file. Throws a UserError where there is none, or where several are alike. */
export function chooseState(root: unknown): ChosenState {
  const path: string[] = [];
  const beside: string[] = [];
  let value: unknown = root;
  let classes: readonly string[] | undefined;
  for (;;) {
    if (!(value instanceof Map)) throw noWeights();
    classes ??= classNames(value);
    const key = path.length < MOST_LEVELS ? wrapperOf(value) : undefined;
    if (key === undefined) break;
    beside.push(...[...value.keys()].filter((other) => typeof other === 'string' && other !== key).map(String));
    path.push(key);
    value = value.get(key);
  }
  const tensors = [...value].filter(
    (entry): entry is [string, StoredTensor] => typeof entry[0] === 'string' && isTensor(entry[1]),
  );
  if (tensors.length === 0) throw noWeights();
  if (tensors.length > MOST_TENSORS)
    throw new UserError('This PyTorch file has too many tensors.', 'Name another file.');
  return { tensors: new Map(tensors), path, beside, ...(classes ? { classes } : {}) };
}

/** The key under which a dictionary has the weights, undefined if it holds them itself. */
function wrapperOf(value: Map<unknown, unknown>): string | undefined {
  const known = WRAPPERS.find((key) => holdsWeights(value.get(key)));
  if (known !== undefined || hasTensors(value)) return known;
  const others = [...value].filter(([key, inner]) => typeof key === 'string' && hasTensors(inner));
  if (others.length > 1)
    throw new UserError(
      `This file holds several sets of weights: ${others.map(([key]) => String(key).slice(0, 40)).join(', ')}.`,
      'Write the one you want by itself in Python: torch.save(checkpoint[NAME], "weights.pth").',
    );
  return others[0]?.[0] as string | undefined;
}

/** Whether a value is a state dict, or one in a wrapper of a known name. */
function holdsWeights(value: unknown): boolean {
  return hasTensors(value) || (value instanceof Map && WRAPPERS.some((key) => hasTensors(value.get(key))));
}

function noWeights(): UserError {
  return new UserError(
    'This file holds no table of tensors.',
    'Name a file of weights: what torch.save(model.state_dict(), FILE) writes.',
  );
}

/** The names of classes: `meta.CLASSES` of MMClassification, `meta.dataset_meta.classes` of MMPretrain. */
function classNames(value: Map<unknown, unknown>): readonly string[] | undefined {
  const at = (map: unknown, key: string): unknown => (map instanceof Map ? map.get(key) : undefined);
  const meta = value.get('meta');
  const dataset = at(meta, 'dataset_meta');
  const found: unknown = [at(meta, 'CLASSES'), at(dataset, 'classes'), at(dataset, 'CLASSES')].find((names) =>
    Array.isArray(names),
  );
  return Array.isArray(found) && found.every((name) => typeof name === 'string') ? found : undefined;
}
