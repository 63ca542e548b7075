import type { Postmasters } from '../core/instance.ts';
import { hasEnded, readProcStat } from './proc-stat.ts';

/** Looks at postmasters in /proc, which is open to every user. */
export class ProcPostmasters implements Postmasters {
  readonly #known = new Map<number, { pid: number; startTime: string }>();

  async remember(id: number, pid: number): Promise<void> {
    const found = await readProcStat(pid);
    if (found) this.#known.set(id, { pid, startTime: found.startTime });
    else this.#known.delete(id);
  }

  async isAlive(id: number): Promise<boolean> {
    const known = this.#known.get(id);
    if (!known) return false;
    const found = await readProcStat(known.pid);
    const suspended = found !== undefined && /^[Tt]$/.test(found.state);
    return found?.startTime === known.startTime && !hasEnded(found) && !suspended;
  }

  forget(id: number): void {
    this.#known.delete(id);
  }
}
