import { connect } from 'node:net';

/** A response as it came over the wire. */
export interface RawResponse {
  status: number;
  /** Names in lower case. */
  headers: Map<string, string>;
  body: string;
}

/** How an exchange over one connection went. */
export interface Exchange {
  responses: RawResponse[];
  /** What came and is no response. */
  rest: string;
  /** Neither answered nor hung up in time. */
  stuck: boolean;
}

const LAST_REQUEST = 'GET /health_check HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

/**
 * Sends bytes over a connection of its own; resolves when the server has hung up, or to `stuck` when it has not within
 * `timeoutMs`. Our end stays open: Node drops the answer to who hangs up, if only by half.
 */
export function exchange(port: number, bytes: Buffer, timeoutMs = 20_000): Promise<Exchange> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const chunks: Buffer[] = [];
    let stuck = false;
    const timer = setTimeout(() => {
      stuck = true;
      socket.destroy();
    }, timeoutMs);
    let closing = false;
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      const { responses, rest } = parseResponses(Buffer.concat(chunks));
      // The server keeps the connection for another request: the last one it gets asks it to hang up.
      if (closing || rest !== '' || responses.at(-1)?.headers.get('connection') === 'close') return;
      closing = responses.length > 0;
      if (closing) socket.write(LAST_REQUEST);
    });
    // The server may hang up while we still send.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve({ ...parseResponses(Buffer.concat(chunks)), stuck });
    });
    socket.write(bytes);
  });
}

/** Reads responses one after the other; the server gives the length of each, but of those that have no body. */
export function parseResponses(bytes: Buffer): { responses: RawResponse[]; rest: string } {
  const responses: RawResponse[] = [];
  let rest = bytes;
  for (;;) {
    const end = rest.indexOf('\r\n\r\n');
    if (end < 0) break;
    const [statusLine = '', ...lines] = rest.subarray(0, end).toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1] ?? Number.NaN);
    if (Number.isNaN(status)) break;
    const headers = new Map<string, string>();
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
      headers.set(name.toLowerCase(), value);
    }
    const start = end + 4;
    const length = status === 100 || status === 204 ? 0 : Number(headers.get('content-length') ?? 0);
    const available = Math.min(length, rest.length - start);
    const body = rest.subarray(start, start + available).toString();
    // To HEAD the length is told without the body: what follows is the next response then, or nothing.
    const isHead = length > 0 && (available === 0 || body.startsWith('HTTP/1.1 '));
    if (status !== 100) responses.push({ status, headers, body: isHead ? '' : body });
    rest = rest.subarray(isHead ? start : start + available);
  }
  return { responses, rest: rest.toString('latin1') };
}
