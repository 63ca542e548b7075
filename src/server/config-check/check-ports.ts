import type { ListenAddress } from '../../config/listen-address.ts';
import type { NumberRange } from '../../core/host-installation.ts';
import type { Listener } from '../../doctor/inspection.ts';
import type { Outcome } from './outcome.ts';

/** An address of [http]. */
export interface TriedAddress {
  readonly key: string;
  readonly address: ListenAddress;
  /** Code of the error with which listening there failed; undefined when it worked or the server listens already. */
  readonly failure: string | undefined;
}

/** Who listens on this host. */
export interface PortFacts {
  readonly sockets: readonly Listener[];
  /** Of the server, and of this process. */
  readonly serverUids: readonly number[];
  readonly instanceUids: NumberRange;
  /** Ports that the database gives to instances, also to those that Draupnir 5.3 has left. */
  readonly recordedPorts: readonly number[];
}

/** Whether the server listens on a port: nobody else has its user. */
export function isServerPort(port: number, { sockets, serverUids }: PortFacts): boolean {
  return sockets.some((socket) => socket.port === port && serverUids.includes(socket.uid));
}

/** Whether the server could listen at an address of [http]. */
export function* checkListenAddress(
  { key, address, failure }: TriedAddress,
  facts: PortFacts,
): Generator<Outcome> {
  const path = `http.${key}`;
  const { host, port } = address;
  if (failure === undefined) {
    const state = isServerPort(port, facts) ? 'in use by the server' : 'free';
    yield { level: 'ok', path, message: `port ${port} is ${state}` };
    return;
  }
  const level = failure === 'EACCES' ? 'warning' : 'problem';
  yield { level, path, message: describeFailure(host, port, failure, facts) };
}

function describeFailure(host: string, port: number, failure: string, { sockets }: PortFacts): string {
  switch (failure) {
    case 'EADDRINUSE': {
      const uids = new Set(sockets.filter((socket) => socket.port === port).map(({ uid }) => uid));
      const holder = uids.size === 0 ? 'another program' : `a program of uid ${[...uids].join(', ')}`;
      return `port ${port} is in use by ${holder}: find it with ss -ltnp 'sport = :${port}', stop it or choose another port`;
    }
    case 'EADDRNOTAVAIL':
    case 'EAFNOSUPPORT':
      return `${host} is not an address of this host: choose one of ip addr`;
    case 'EACCES':
      return `this user may not listen on port ${port}: set AmbientCapabilities=CAP_NET_BIND_SERVICE by systemctl edit draupnir, or choose a port from 1024 on`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${host} cannot be resolved: write an address, or add the name to /etc/hosts`;
    default:
      return `the server cannot listen there: ${failure}`;
  }
}

/** Ports for instances on which other programs listen. The server leaves them alone, which costs instances. */
export function* checkInstancePorts(
  ports: NumberRange,
  apiPorts: readonly number[],
  facts: PortFacts,
): Generator<Outcome> {
  const path = 'min_instance_port';
  const count = ports.to - ports.from + 1;
  const { instanceUids, recordedPorts } = facts;
  const taken = facts.sockets
    .filter(({ port }) => port >= ports.from && port <= ports.to)
    .filter(({ port }) => !apiPorts.includes(port) && !recordedPorts.includes(port))
    .filter(({ uid }) => uid < instanceUids.from || uid > instanceUids.to)
    .map(({ port }) => port);
  const others = [...new Set(taken)].sort((a, b) => a - b);
  if (others.length === 0) {
    yield { level: 'ok', path, message: `${count} ports for instances` };
    return;
  }
  const message = `other programs listen on ${others.length} of ${count} ports, which instances cannot use: ${others.join(', ')}`;
  const advice = others.length < count ? 'end them or choose other ports' : 'no instance can be created';
  yield { level: others.length < count ? 'warning' : 'problem', path, message: `${message}; ${advice}` };
}
