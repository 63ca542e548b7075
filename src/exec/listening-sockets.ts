import { readFile } from 'node:fs/promises';
import type { Listener } from '../doctor/inspection.ts';

/**
 * Local port, then queues, timers and retransmissions, then the uid (proc_pid_net(5)). State 0A is TCP_LISTEN
 * (linux/tcp_states.h).
 */
const SOCKET = /^ *[0-9]+: [0-9A-F]+:([0-9A-F]{4}) \S+ 0A \S+ \S+ \S+ +([0-9]+) /;

/** The sockets in lines of /proc/net/tcp or, for family 6, /proc/net/tcp6; other states are left out. */
export function parseListeningSockets(lines: readonly string[], family: 4 | 6): Listener[] {
  return lines.flatMap((line) => {
    const [, port, uid] = SOCKET.exec(line) ?? [];
    return port === undefined ? [] : [{ family, port: Number.parseInt(port, 16), uid: Number(uid) }];
  });
}

/** The listening sockets of this host, of both families. A host without IPv6 has no file of it. */
export async function readListeningSockets(): Promise<Listener[]> {
  const [ipv4, ipv6] = await Promise.all(
    ['/proc/net/tcp', '/proc/net/tcp6'].map((file) => readFile(file, 'utf8').catch(() => '')),
  );
  return [
    ...parseListeningSockets((ipv4 ?? '').split('\n'), 4),
    ...parseListeningSockets((ipv6 ?? '').split('\n'), 6),
  ];
}
