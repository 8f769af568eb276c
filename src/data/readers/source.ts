/** What a reader is asked to read. */
export interface Source {
  readonly folder: string;
  /** Names in the folder, sorted. */
  readonly names: readonly string[];
  /** The one that was named, if it was a file and not the folder. */
  readonly file?: string;
}
