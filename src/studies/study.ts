/**
 * What a study is: a question of the MobileOne paper, the networks that are measured to answer it, and data to print and draw. A study
 * draws nothing itself: `src/report/study/` makes figures and pages of its data.
 */
import type { Device } from '../bench/device.ts';
import type { Measurement } from '../bench/measure.ts';
import type { Layer, LayerTime } from '../bench/predict/layers.ts';
import type { Protocol } from '../bench/protocol.ts';
import type { Row } from '../bench/results/columns.ts';
import type { RuntimeKey } from '../bench/runtimes.ts';
import type { Graph } from '../graph/graph.ts';
import type { Figure } from './figures.ts';

/** A cell of a table; null where there is nothing to say. */
export type Value = string | number | null;

export interface Column {
  /** As it stands in the head of the CSV file, e.g. `mean_ms`. */
  readonly name: string;
  readonly unit?: string;
  /** What it is, in a few words: printed under the table. */
  readonly meaning: string;
}

/** A table of results, written as `NAME.csv` and shown in the report. */
export interface Table {
  /** Stem of its file. */
  readonly name: string;
  readonly title: string;
  readonly columns: readonly Column[];
  /** By the names of the columns; every column is there. */
  readonly rows: readonly Readonly<Record<string, Value>>[];
}

/** A part of the report. */
export interface Section {
  readonly title: string;
  /** Paragraphs of Markdown: plain text, `- ` lists, **bold** and `code` only. */
  readonly text: string;
  /** Names of the figures and tables that stand under it, in order; those that no section names stand at the end. */
  readonly shows?: readonly string[];
}

export interface StudyResult {
  /** What was found, in a sentence or two, computed from the data. */
  readonly finding: string;
  readonly sections: readonly Section[];
  readonly figures: readonly Figure[];
  readonly tables: readonly Table[];
  /** What was left out or must be known to believe it, a sentence each. */
  readonly notes: readonly string[];
}

/** A network to be measured. */
export interface Candidate {
  /** Unique in the study; networks of the zoo have their names there. It is what the results store knows it by. */
  readonly name: string;
  /**
   * Builds the graph, `input` `[N, 3, H, W]` → any outputs, in either form: it is fused before it is measured, has random weights
   * (`initialState`, seed 0), and gets the preprocessing of uint8 images in front.
   */
  readonly build: () => Graph;
  /** Side of the image in pixels; default 224. */
  readonly size?: number;
  /** Images a run; default 1. */
  readonly batch?: number;
  /** Measures the train form, its branches written out, instead of the fused one. */
  readonly form?: 'train';
}

/** One candidate on one runtime; times in milliseconds. */
export interface Timed extends Pick<Measurement, 'mean' | 'interval' | 'minimum' | 'median' | 'roundMeans' | 'noise'> {
  /** The candidate's name. */
  readonly name: string;
  readonly runtime: RuntimeKey;
  /** The runtime with its version. */
  readonly version: string;
  readonly threads: number;
  /** Multiply-adds and parameters of what was measured, for one image. */
  readonly macs: number;
  readonly params: number;
  /** Mean of the reference network in the same group, which tells how fast the machine was just then. */
  readonly reference: number;
  /** Its trimmed means round by round, each in turn with those of `roundMeans`; empty where they are not known. */
  readonly referenceRounds: readonly number[];
}

/** A candidate that a runtime could not run. */
export interface Refusal {
  readonly name: string;
  readonly runtime: RuntimeKey;
  readonly threads: number;
  /** Why, in a sentence. */
  readonly reason: string;
}

export interface Measured {
  readonly protocol: Protocol;
  /** By runtime and threads, in each the candidates in their order. */
  readonly rows: readonly Timed[];
  readonly refused: readonly Refusal[];
  /** Runtimes that are not here, drift between groups, noise: sentences for the report. */
  readonly notes: readonly string[];
}

export interface StudyContext {
  /** Fewer networks and figures: two minutes. */
  readonly quick: boolean;
  readonly device: Device;
  /** Runtimes that are wanted, the main one first. */
  readonly runtimes: readonly RuntimeKey[];
  readonly threads: readonly number[];
  /** Candidates that are wanted, by their names; undefined: all. See `wantedOf`. */
  readonly nets?: readonly string[];
  /** Rows of `measurements` in the results store from before this study, of every machine, oldest first. */
  readonly kept: readonly Row[];
  /**
   * Measures candidates × runtimes × threads. Call it once with everything: the protocol is chosen by its first call, so that all of
   * it keeps the time budget, and stays the same. Nothing that a runtime refuses ends it; if nothing at all can be measured it
   * throws a UserError.
   */
  measure(candidates: readonly Candidate[], options?: MeasureWish): Promise<Measured>;
  /** Times layers one by one on the wasm engine, one thread; undefined where that engine does not run. */
  readonly timeLayers?: (layers: readonly Layer[]) => Promise<readonly LayerTime[]>;
  /** Says what is being done, beside what `measure` says by itself. */
  progress(done: number, total: number, what: string): void;
  readonly signal?: AbortSignal;
}

export interface MeasureWish {
  /** Only these of the wanted runtimes, e.g. where a study is about one of them. */
  readonly runtimes?: readonly RuntimeKey[];
}

export interface Study {
  /** As the command takes it. */
  readonly name: string;
  readonly title: string;
  /** What it answers, and where the paper does, e.g. `Do FLOPs or parameters tell the latency? (§3.1, Figure 2, Table 1)`. */
  readonly question: string;
  /** Names that `--nets` takes; undefined: the study has no choice. */
  readonly nets?: () => readonly string[];
  run(context: StudyContext): Promise<StudyResult>;
}
