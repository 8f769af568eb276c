/** The files of a model in several formats. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import { UserError } from '../core/errors.ts';
import type { ExportedModel, ExportOptions, Format } from './format.ts';

/** A format with the files it made. */
export interface Encoded {
  readonly format: Format;
  readonly exported: ExportedModel;
}

type Option = keyof ExportOptions;

/** Options, and how the command line names them. */
const FLAGS: Readonly<Record<Option, string>> = {
  layout: '--layout',
  size: '--size',
  dynamicBatch: '--fixed-batch',
  dynamicSize: '--dynamic-size',
  preprocessing: '--no-preprocessing',
  form: '--form',
  precision: '--precision',
};

/**
 * Writes the files of every format, in memory. Throws a UserError for an option that a format can't satisfy, and for one that
 * all of them ignore.
 */
export async function encodeFiles(
  formats: readonly Format[],
  model: ModelFile,
  options: ExportOptions,
): Promise<Encoded[]> {
  const given = (Object.keys(FLAGS) as Option[]).filter((name) => options[name] !== undefined);
  const unheeded = given.filter((name) => formats.every(({ ignores = [] }) => ignores.includes(name)));
  if (unheeded.length > 0)
    throw new UserError(
      `${unheeded.map((name) => FLAGS[name]).join(', ')}: ${formats.map(({ title }) => title).join(', ')} has no input to which that could apply.`,
      'Leave it out.',
      2,
    );
  const encoded: Encoded[] = [];
  for (const format of formats) {
    const { title, precisions, ignores = [] } = format;
    const { precision } = options;
    if (precision !== undefined && !precisions.includes(precision))
      throw new UserError(
        `${title} files are written in ${precisions.join(' or ')}, not in ${precision}.`,
        'Leave out --precision, or export that format by itself.',
        2,
      );
    const heeded = given.filter((name) => !ignores.includes(name)).map((name) => [name, options[name]]);
    encoded.push({ format, exported: await format.encode(model, Object.fromEntries(heeded) as ExportOptions) });
  }
  return encoded;
}
