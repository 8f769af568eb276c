import { UserError } from '../../core/errors.ts';

/** The error for a PyTorch file that can't be read. */
export function brokenPickle(what: string): UserError {
  return new UserError(
    `This PyTorch file can't be read: ${what}.`,
    'It may be damaged, cut off or of another kind. Copy or download it again, or name another file.',
  );
}
