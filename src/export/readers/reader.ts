/** Small programs that come with a bundle and run its files. */
import type { PreprocessingDescription } from '../preprocessing.ts';

export interface Reader {
  /** Name in `readers/`. */
  readonly file: string;
  /** What it is, in a phrase. */
  readonly about: string;
  /** The command that runs it in the bundle's folder; none for code to build into an app. */
  readonly run?: string;
  /** Its text. */
  text(facts: ReaderFacts): string;
  /** What it needs that can be copied beside it, for those who want no network. */
  readonly runtime?: ReaderRuntime;
}

/** What a reader needs to know of a bundle. */
export interface ReaderFacts {
  /** Path of the format's file in the bundle. */
  readonly main: string;
  readonly preprocessing: PreprocessingDescription;
}

/** Files of an npm package, copied beside a reader. */
export interface ReaderRuntime {
  readonly package: string;
  /** Folder in `readers/` that they go to. */
  readonly folder: string;
  /** Names in the folder of the package's main file. */
  readonly files: readonly string[];
  /** Text of the `LICENSE` beside them. */
  readonly license: string;
}
