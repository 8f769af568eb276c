/**
 * Parameter names of Apple's released code and of timm. timm's are used inside; both are read.
 * A name may carry a prefix that ends in `.` or `:` (such as `ema:`).
 */

/** [Apple, timm] path pieces. */
const PIECES = [
  ['rbr_conv', 'conv_kxk'],
  ['rbr_scale', 'conv_scale'],
  ['rbr_skip', 'identity'],
  ['se.reduce', 'attn.fc1'],
  ['se.expand', 'attn.fc2'],
] as const;

/** Replaces a whole path piece wherever it stands behind a `.`, `:` or the start. */
function replacePiece(name: string, from: string, to: string): string {
  const at = `(^|[.:])${from.replaceAll('.', '\\.')}(?=\\.)`;
  return name.replace(new RegExp(at), `$1${to}`);
}

/** Translates Apple's parameter name to timm's; any other name passes through. */
export function toTimm(name: string): string {
  const staged = name
    .replace(/(^|[.:])stage0(?=\.)/, '$1stem')
    .replace(
      /(^|[.:])stage([1-9]\d*)(?=\.\d+\.)/,
      (_, before: string, stage: string) => `${before}stages.${Number(stage) - 1}`,
    );
  const blocks = PIECES.reduce((text, [apple, timm]) => replacePiece(text, apple, timm), staged);
  return replacePiece(blocks, 'linear', 'head.fc');
}

/** Translates timm's parameter name to Apple's; any other name passes through. */
export function toApple(name: string): string {
  const staged = replacePiece(name, 'stem', 'stage0').replace(
    /(^|[.:])stages\.(\d+)(?=\.\d+\.)/,
    (_, before: string, stage: string) => `${before}stage${Number(stage) + 1}`,
  );
  const blocks = PIECES.reduce((text, [apple, timm]) => replacePiece(text, timm, apple), staged);
  return replacePiece(blocks, 'head.fc', 'linear');
}

/** True for PyTorch's step counter of a BatchNorm, which no computation here needs. */
export function isStepCounter(name: string): boolean {
  return name.endsWith('num_batches_tracked');
}
