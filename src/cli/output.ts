import picocolors from 'picocolors';
import { formatTime } from '../wire.ts';
import type { Image, Instance } from './documents.ts';
import { CliError, EXIT_FAILURE } from './failure.ts';

/** An image's line (contract: command line): ` 3 [ 2017-05-01T12:00:00Z - READY:  true ]`. */
export function formatImage(image: Image): string {
  return `${padId(image.id)} [ ${formatTime(image.backedUpAt)} - READY: ${String(image.ready).padStart(5)} ]`;
}

/** An instance's line (contract: command line): ` 4 [ PORT: 16412 - 2017-05-01T16:00:00Z ]`. */
export function formatInstance(instance: Instance): string {
  return `${padId(instance.id)} [ PORT: ${instance.port} - ${formatTime(instance.createdAt)} ]`;
}

/** Writes a line of data. stdout carries nothing else. */
export function printData(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Tells the person something that is neither data nor a problem. */
export function printNotice(text: string): void {
  process.stderr.write(`${stripControls(text)}\n`);
}

/** Tells the person what is wrong though the command goes on, and on a second line what to do about it. */
export function printWarning(text: string, hint: string): void {
  printLabelled('yellow', 'warning', text);
  printLabelled('cyan', 'hint', hint);
}

/** Reports why a command failed; returns the exit code that goes with it. */
export function reportFailure(error: unknown): number {
  printLabelled('red', 'error', error instanceof Error ? error.message : 'unknown error');
  if (!(error instanceof CliError)) return EXIT_FAILURE;
  if (error.hint !== undefined) printLabelled('cyan', 'hint', error.hint);
  return error.exitCode;
}

function printLabelled(color: 'red' | 'yellow' | 'cyan', label: string, text: string): void {
  // picocolors itself looks at stdout, which `eval $(draupnir new)` makes a pipe.
  const { NO_COLOR, TERM } = process.env;
  const colors = picocolors.createColors(process.stderr.isTTY && !NO_COLOR && TERM !== 'dumb');
  process.stderr.write(`${colors[color](`${label}:`)} ${stripControls(text)}\n`);
}

function padId(id: number): string {
  return String(id).padStart(2);
}

/** Parts of a message may come from a server: it must not break the line or send the terminal commands. */
export function stripControls(text: string): string {
  // eslint-disable-next-line no-control-regex -- control characters are the point
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ');
}
