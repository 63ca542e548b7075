import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Connection {
  /** Of TCP, below TLS: it exists before the handshake is finished. */
  readonly socket: Socket;
  /** Not answered yet, in the order of arrival. */
  readonly exchanges: Set<Exchange>;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/**
 * The connections of a server, for its stop. Node closes idle connections only: an unfinished handshake, half
 * a request, or a connection that stays open after the answer would hold up the stop until its own time-out.
 */
export class OpenConnections {
  readonly #connections = new Map<string, Connection>();
  #stopping = false;

  constructor(server: Server) {
    server.prependListener('connection', (socket: Socket) => this.#add(socket));
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) =>
      this.#begin({ request, response }),
    );
  }

  /** Closes the connections without a complete request now, and the others after their last answer. */
  stop(): void {
    this.#stopping = true;
    for (const connection of this.#connections.values()) this.#release(connection);
  }

  #add(socket: Socket): void {
    if (this.#stopping) {
      socket.destroy();
      return;
    }
    const key = getKey(socket);
    this.#connections.set(key, { socket, exchanges: new Set() });
    socket.once('close', () => {
      // The client may have used its port again by now.
      if (this.#connections.get(key)?.socket === socket) this.#connections.delete(key);
    });
  }

  #begin(exchange: Exchange): void {
    const connection = this.#connections.get(getKey(exchange.request.socket));
    if (!connection) return;
    connection.exchanges.add(exchange);
    exchange.response.once('close', () => {
      connection.exchanges.delete(exchange);
      if (this.#stopping) this.#release(connection, exchange.request.socket);
    });
  }

  /** `answered` is the socket of an answer that was just sent: what it still holds is sent before the end. */
  #release({ socket, exchanges }: Connection, answered?: Socket): void {
    const complete = [...exchanges].filter(({ request }) => request.complete);
    const last = complete.at(-1)?.response;
    if (last === undefined) {
      if (answered) answered.destroySoon();
      else socket.destroy();
    } else if (!last.headersSent) {
      last.setHeader('connection', 'close');
    }
  }
}

/**
 * Finds a connection by a socket of it: TLS has one of its own, which leads to the one below by private
 * fields only.
 */
function getKey({ remoteAddress, remotePort, localAddress }: Socket): string {
  return `${remoteAddress ?? ''} ${remotePort ?? ''} ${localAddress ?? ''}`;
}
