import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { PreparationRequest } from '../core/preparation-request.ts';
import { withFailpoints } from '../failpoints.ts';
import { NoSpace, PreparationFailure } from './failure.ts';
import { Preparation } from './preparation.ts';
import { isWantOfSpace } from './space.ts';
import { SpaceMonitor } from './space-monitor.ts';
import { takeSteps } from './steps.ts';
import type { Workplace } from './workplace.ts';

/** Exit codes of sysexits.h, as the scripts have them. */
const [EX_USAGE, EX_DATAERR, EX_SOFTWARE, EX_IOERR] = [64, 65, 70, 74];

/** What the shared memory of parallel queries and files in /tmp share. */
const TEMPORARY =
  'it needs more temporary space than SANDBOX_TMP_MAX of host.conf allows, which also holds the shared memory of parallel queries';

/**
 * The worker of a preparation: makes the content of an image of the clone of an upload. It is started by
 * `draupnir-finalise-image`, without privileges, as the uid of the image, in a sandbox without network.
 *
 * draupnir prepare WORK POSTGRES_ROOT MEMORY_KIB MAX_FILES
 *
 * - stdin: a PreparationRequest, as JSON
 * - stdout: `step NAME NUMBER/COUNT` as the work goes on, last `prepared`; or `failure REASON` with exit code 65
 * - exit code 74: there was no space
 */
export async function runPrepare(args: readonly string[]): Promise<void> {
  // Node itself would print the message of an error, which could quote a row.
  process.on('uncaughtException', (error) => {
    process.stderr.write(`${describe(error)}\n`);
    process.exit(EX_SOFTWARE);
  });
  // Whatever ends us before the last step, it is no success.
  process.exitCode = EX_SOFTWARE;
  try {
    await prepare(args);
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
  }
}

async function prepare(args: readonly string[]): Promise<void> {
  const workplace = await readWorkplace(args);
  if (!workplace) {
    process.stderr.write('usage: draupnir prepare WORK POSTGRES_ROOT MEMORY_KIB MAX_FILES\n');
    process.exitCode = EX_USAGE;
    return;
  }
  const request = JSON.parse(await text(process.stdin)) as PreparationRequest;
  const preparation = new Preparation(workplace, request);
  const space = new SpaceMonitor(workplace.work);
  space.start();
  const { steps } = withFailpoints('prepare', { steps: preparation });
  try {
    await takeSteps(steps, (name, number) => print(`step ${name} ${number}`));
    await space.stop();
    print('prepared');
    process.exitCode = 0;
  } catch (error) {
    try {
      await report(error, preparation, space);
    } finally {
      // Postgres may run, and would keep us from ending; the root script ends it.
      process.exit();
    }
  }
}

async function readWorkplace(args: readonly string[]): Promise<Workplace | undefined> {
  const [work, postgresRoot, memory, files, ...rest] = args;
  const [memoryKib, maxFiles] = [Number(memory), Number(files)];
  const isComplete = work !== undefined && postgresRoot !== undefined && rest.length === 0;
  if (!isComplete || !(memoryKib > 0) || !(maxFiles > 0)) return undefined;
  const scratch = await mkdtemp(join(tmpdir(), 'draupnir-image-'));
  return { work, postgresRoot, memoryKib, maxFiles, scratch };
}

/** Want of space on the volume is never reported as a fault of the upload. */
async function report(error: unknown, preparation: Preparation, space: SpaceMonitor): Promise<void> {
  const lacked = await space.stop();
  const lacksSpace = isNoSpace(error) || (await preparation.lacksSpace());
  if (lacksSpace && lacked === 'volume') {
    process.stderr.write(`no space left: ${error instanceof Error ? error.message : ''}\n`);
    process.exitCode = EX_IOERR;
  } else if (lacksSpace) {
    print(`failure ${describeFailure(error)}: ${TEMPORARY}`);
    process.exitCode = EX_DATAERR;
  } else if (error instanceof PreparationFailure) {
    print(`failure ${error.message}`);
    process.exitCode = EX_DATAERR;
  } else {
    process.stderr.write(`${describe(error)}\n`);
  }
}

function isNoSpace(error: unknown): boolean {
  if (error instanceof NoSpace) return true;
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  const stderr = 'stderr' in error ? String(error.stderr) : '';
  return code === 'ENOSPC' || code === 'EDQUOT' || isWantOfSpace(stderr);
}

/** What has failed for want of space, in words for every caller. */
function describeFailure(error: unknown): string {
  const failure = error instanceof NoSpace && error.cause instanceof PreparationFailure ? error.cause : error;
  const isKnown = failure instanceof PreparationFailure || failure instanceof NoSpace;
  return isKnown ? failure.message : 'the preparation failed';
}

/** Where an unforeseen error comes from. Its message could quote a row: the operator reads its kind and its place. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return 'an unforeseen failure';
  const frames = (error.stack ?? '').split('\n').filter((line) => /^ +at /.test(line));
  const codes = ['code', 'exitCode', 'signal'].flatMap((key) => {
    const value: unknown = Reflect.get(error, key);
    return typeof value === 'string' || typeof value === 'number' ? [`${key}=${value}`] : [];
  });
  return [error.name, ...codes, ...frames.slice(0, 8).map((frame) => frame.trim())].join(' ');
}

/** One line, whatever names it quotes. */
function print(line: string): void {
  // eslint-disable-next-line no-control-regex -- these are meant
  process.stdout.write(`${line.replaceAll(/[\x00-\x1f\x7f]/g, '?')}\n`);
}
