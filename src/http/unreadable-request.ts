import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { VERSION, VERSION_HEADER } from '../version.ts';
import { JSON_TYPE } from '../wire.ts';
import { buildUnreadableError } from './error-body.ts';

/** What the parser of Node stumbled over (https://nodejs.org/api/http.html#event-clienterror), as a status. */
const STATUSES = new Map<string | undefined, number>([
  ['HPE_HEADER_OVERFLOW', 431],
  ['ERR_HTTP_REQUEST_TIMEOUT', 408],
]);

/** Answers what cannot be read as a request, and hangs up. There is no request and no reply yet, only the socket. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const { status, body } = buildUnreadableError(STATUSES.get(error.code) ?? 400);
    const text = JSON.stringify(body);
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      `Content-Type: ${JSON_TYPE}`,
      `Content-Length: ${Buffer.byteLength(text)}`,
      `${VERSION_HEADER}: ${VERSION}`,
      'Connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${text}`);
  }
  socket.destroy();
}
