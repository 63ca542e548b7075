import { describe, expect, it } from 'vitest';
import {
  checkInstancePorts,
  checkListenAddress,
  isServerPort,
  type PortFacts,
} from '../../../../src/server/config-check/check-ports.ts';
import { formatLines } from './lines.ts';

const SERVER = 104;
const OTHER = 33;

const createFacts = (
  listening: [port: number, uid: number][],
  changed: Partial<PortFacts> = {},
): PortFacts => ({
  sockets: listening.flatMap(([port, uid]) => [
    { family: 4 as const, port, uid },
    { family: 6 as const, port, uid },
  ]),
  serverUids: [SERVER],
  instanceUids: { from: 1000, to: 1999 },
  recordedPorts: [],
  ...changed,
});

describe('the check of an address of the API', () => {
  const check = (failure: string | undefined, listening: [number, number][] = []): string[] => {
    const address = { host: 'api.test', port: 8443 };
    return formatLines(
      checkListenAddress({ key: 'listen_address', address, failure }, createFacts(listening)),
    );
  };

  it.each<[string, string | undefined, [number, number][], string]>([
    ['free', undefined, [], 'ok: port 8443 is free'],
    ['of the running server', undefined, [[8443, SERVER]], 'ok: port 8443 is in use by the server'],
    [
      'of another program',
      'EADDRINUSE',
      [[8443, OTHER]],
      "port 8443 is in use by a program of uid 33: find it with ss -ltnp 'sport = :8443', stop it or choose another port",
    ],
    [
      'of a program that does not listen',
      'EADDRINUSE',
      [],
      "port 8443 is in use by another program: find it with ss -ltnp 'sport = :8443', stop it or choose another port",
    ],
    [
      'of another host',
      'EADDRNOTAVAIL',
      [],
      'api.test is not an address of this host: choose one of ip addr',
    ],
    [
      'of no host',
      'ENOTFOUND',
      [],
      'api.test cannot be resolved: write an address, or add the name to /etc/hosts',
    ],
    [
      'for root alone',
      'EACCES',
      [],
      'warning: this user may not listen on port 8443: set AmbientCapabilities=CAP_NET_BIND_SERVICE by systemctl edit draupnir, or choose a port from 1024 on',
    ],
    ['that fails otherwise', 'EIO', [], 'the server cannot listen there: EIO'],
  ])('describes one %s', (_what, failure, listening, line) => {
    expect(check(failure, listening)).toEqual([`http.listen_address: ${line}`]);
  });
});

describe('a port', () => {
  it('is that of the server when a process of its user listens there', () => {
    const facts = createFacts([
      [8443, SERVER],
      [8442, OTHER],
    ]);
    expect([8443, 8442, 8441].filter((port) => isServerPort(port, facts))).toEqual([8443]);
  });
});

describe('the check of the ports of instances', () => {
  const check = (listening: [number, number][], changed: Partial<PortFacts> = {}): string[] =>
    formatLines(checkInstancePorts({ from: 7000, to: 7002 }, [7002], createFacts(listening, changed)));

  it('accepts instances, and what is outside of the range', () => {
    expect(
      check([
        [7000, 1000],
        [7001, 1999],
        [6999, OTHER],
        [7003, OTHER],
      ]),
    ).toEqual(['min_instance_port: ok: 3 ports for instances']);
  });

  it('accepts the API in the range, of which the configuration warns, and instances of Draupnir 5.3', () => {
    expect(
      check(
        [
          [7002, SERVER],
          [7001, OTHER],
        ],
        { recordedPorts: [7001] },
      ),
    ).toEqual(['min_instance_port: ok: 3 ports for instances']);
  });

  it('warns of ports that other programs have', () => {
    expect(
      check([
        [7001, OTHER],
        [7000, 2000],
      ]),
    ).toEqual([
      'min_instance_port: warning: other programs listen on 2 of 3 ports, which instances cannot use: 7000, 7001; end them or choose other ports',
    ]);
  });

  it('finds that none is left', () => {
    const facts = createFacts([
      [7000, OTHER],
      [7001, OTHER],
    ]);
    expect(formatLines(checkInstancePorts({ from: 7000, to: 7001 }, [], facts))).toEqual([
      'min_instance_port: other programs listen on 2 of 2 ports, which instances cannot use: 7000, 7001; no instance can be created',
    ]);
  });
});
