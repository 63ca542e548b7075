import { execa } from 'execa';
import type { Log } from '../core/log.ts';

/** systemd-notify(1) waits until systemd has taken it. */
const TIMEOUT_MS = 5000;

/**
 * Tells systemd that the server answers, where it waits for that (`Type=notify`): so `systemctl start` ends when the API can be used, or
 * fails when the server does. By systemd-notify(1), since Node has no datagram sockets of the file system (sd_notify(3)).
 */
export async function notifyReady(log: Log): Promise<void> {
  if (process.env.NOTIFY_SOCKET === undefined) return;
  try {
    await execa('systemd-notify', ['--ready', `--pid=${process.pid}`], {
      timeout: TIMEOUT_MS,
      stdin: 'ignore',
    });
  } catch (error) {
    // Its output is not for the log; without it the unit stays "activating" and the server works.
    const hint = 'is systemd-notify installed, and does the unit say NotifyAccess=all?';
    log.warn(
      { hint, reason: error instanceof Error ? error.name : 'unknown' },
      'systemd cannot be told that the server is ready',
    );
  }
}
