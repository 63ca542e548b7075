import { stripVTControlCharacters } from 'node:util';

/** Prints lines, in colour on a terminal alone. */
export function print(text: string): void {
  process.stdout.write(`${process.stdout.isTTY ? text : stripVTControlCharacters(text)}\n`);
}
