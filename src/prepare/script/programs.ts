import { readdir, readFile, stat } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { PreparationFailure } from '../failure.ts';

const POLL_MS = 20;

/**
 * A program that the script leaves running may be about to change rows, now or while they are scrubbed. Throws PreparationFailure
 * when one still runs after that time.
 */
export async function checkProgramsEnded(postmaster: number | undefined, patienceMs: number): Promise<void> {
  const deadline = performance.now() + patienceMs;
  while ((await listPrograms(postmaster)).length > 0) {
    if (performance.now() >= deadline) {
      throw new PreparationFailure(
        'the anonymisation script leaves a program running: let it wait for what it starts',
      );
    }
    await delay(POLL_MS);
  }
}

/** Processes of our uid that are neither we, nor Postgres, nor a zombie. */
export async function listPrograms(postmaster: number | undefined): Promise<number[]> {
  const uid = process.getuid?.();
  const programs: number[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid || pid === postmaster) continue;
    try {
      if ((await stat(`/proc/${pid}`)).uid !== uid) continue;
      // proc_pid_stat(5): the name, in parentheses, may hold any character; behind it come the state and the parent.
      const text = await readFile(`/proc/${pid}/stat`, 'utf8');
      const [state = '', parent] = text.slice(text.lastIndexOf(')') + 2).split(' ');
      if (Number(parent) !== postmaster && !/^[ZX]/.test(state)) programs.push(pid);
    } catch {
      // It has ended meanwhile.
    }
  }
  return programs;
}
