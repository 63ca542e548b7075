import { getMedian } from './statistics.ts';

/** The samples of one part by name; the name ends in the unit. */
export type Samples = Record<string, number[]>;

/** Whether one target of the project is met. */
export interface Target {
  name: string;
  value: number;
  limit: number;
  met: boolean;
}

/** The document of a run. */
export interface Results {
  startedAt: string;
  machine: Record<string, string | number>;
  quick: boolean;
  /** By part; every sample, in the order it was taken. */
  samples: Record<string, Samples>;
  /** What a reader has to know about the samples of a part. */
  notes: Record<string, string[]>;
  targets: Target[];
}

/** Collects samples. */
export class Recorder {
  readonly samples: Samples = {};
  readonly notes: string[] = [];

  add(name: string, value: number): void {
    (this.samples[name] ??= []).push(value);
  }

  note(text: string): void {
    this.notes.push(text);
  }
}

/** The samples of a series. Throws when there are none. */
export function getSeries(results: Pick<Results, 'samples'>, part: string, name: string): number[] {
  const series = results.samples[part]?.[name];
  if (!series) throw new Error(`no samples ${part}.${name}`);
  return series;
}

/** Their median. */
export function getSeriesMedian(results: Pick<Results, 'samples'>, part: string, name: string): number {
  return getMedian(getSeries(results, part, name));
}
