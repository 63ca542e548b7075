/** The parts of the program that are changed. */
export const AREAS = ['core', 'auth', 'http', 'exec', 'db', 'tls', 'prepare', 'scripts'] as const;

export type Area = (typeof AREAS)[number];

/** A single change to a file of the program. Offsets count UTF-16 code units of its text. */
export interface Mutant {
  area: Area;
  /** Below the checkout. */
  file: string;
  /** Counted from 1. */
  line: number;
  /** The kind of change, for example `ConditionalExpression`. */
  operator: string;
  start: number;
  end: number;
  replacement: string;
}

/** Returns the text with the change made. */
export function applyMutant(text: string, { start, end, replacement }: Mutant): string {
  return text.slice(0, start) + replacement + text.slice(end);
}

/** A line about the change, with the original and the new text cut to some length. */
export function formatMutant(
  text: string,
  { file, line, operator, start, end, replacement }: Mutant,
): string {
  return `${file}:${line} ${operator}: ${shorten(text.slice(start, end))} → ${shorten(replacement)}`;
}

const LENGTH = 70;

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ');
  return line.length > LENGTH ? `${line.slice(0, LENGTH)}…` : line;
}
