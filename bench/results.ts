import { getMedian } from './statistics.ts';

/** The samples of one part by name; the name ends in the unit. */
export type Samples = Record<string, number[]>;

/** Milliseconds by part of an operation. */
export type Profile = Record<string, number>;

/** Where the time of a part's creations went. */
export interface Profiles {
  /** The creation that took the median time, and the one that 95 % of all did not exceed. */
  p50: Profile;
  p95: Profile;
  /** Medians of the floor with the proof. */
  floor: Profile;
}

/** Whether one target of the project is met. */
export interface Target {
  name: string;
  value: number;
  limit: number;
  met: boolean;
  /** Why it is missed. */
  profile?: { ours: Profile; floor: Profile };
}

/** Two builds in one run. */
export interface Comparison {
  name: string;
  /** Medians, in milliseconds. */
  ours: number;
  other: number;
  /** Median of the ratios ours / other, each of two neighbouring samples: a machine that slows down slows both. */
  ratio: number;
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
  /** By part. */
  profiles: Record<string, Profiles>;
  targets: Target[];
  /** With another build; empty without one. */
  comparisons: Comparison[];
}

/** Collects samples. */
export class Recorder {
  readonly samples: Samples = {};
  readonly notes: string[] = [];
  profiles: Profiles | undefined;

  add(name: string, value: number): void {
    (this.samples[name] ??= []).push(value);
  }

  note(text: string): void {
    this.notes.push(text);
  }
}

/** What a judgement needs of a run. */
export type Measured = Pick<Results, 'samples'> & Partial<Pick<Results, 'profiles'>>;

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
