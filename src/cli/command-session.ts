import type { Command } from 'commander';
import type { Session } from './session.ts';

/** Flags that every command takes, before or after its own. */
export interface GlobalFlags {
  /** Plain HTTP. */
  insecure?: boolean;
  /** HTTPS with any certificate. */
  skipVerify?: boolean;
}

/** Opens the session of a command, loading what that takes only now: help and mistakes need none of it. */
export async function openCommandSession(command: Command): Promise<Session> {
  const { openSession } = await import('./session.ts');
  return await openSession(command.optsWithGlobals<GlobalFlags>());
}
