import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { converse, TOO_LONG } from '../../../src/exec/conversation.ts';

let server: Server | undefined;
let peers: Socket[] = [];

afterEach(() => {
  for (const peer of peers) peer.destroy();
  peers = [];
  server?.close();
});

/** Somebody who listens where a Postgres should, and does that once it is spoken to; resolves to the port. */
async function listen(answer: (peer: Socket) => void): Promise<number> {
  server = createServer((peer) => {
    peers.push(peer);
    peer.on('error', () => undefined);
    peer.once('data', () => answer(peer));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A message of the protocol (PostgreSQL manual, "Message Formats"): its type, its length, its content. */
function message(type: string, content: string, length = content.length): Buffer {
  const head = Buffer.alloc(5, type);
  head.writeInt32BE(length + 4, 1);
  return Buffer.concat([head, Buffer.from(content)]);
}

const speak = (port: number, timeoutMs?: number): Promise<void> =>
  converse({ host: '127.0.0.1', port, user: 'draupnir' }, undefined, timeoutMs);

describe('a conversation with somebody who may answer anything', () => {
  it('ends with the refusal, though the connection stays open', async () => {
    const port = await listen((peer) => peer.write(message('E', 'SFATAL\0C28000\0Mno\0\0')));
    await expect(speak(port)).rejects.toMatchObject({ code: '28000' });
    const [peer] = peers;
    if (peer && !peer.closed) await once(peer, 'close');
  });

  it('ends when nothing is said', async () => {
    const port = await listen(() => undefined);
    await expect(speak(port, 100)).rejects.toThrow(TOO_LONG);
  });

  it('ends when the work takes too long', async () => {
    const ready = [message('R', '\0\0\0\0'), message('Z', 'I')];
    const port = await listen((peer) => peer.write(Buffer.concat(ready)));
    const work = () => new Promise<void>(() => undefined);
    const talk = converse({ host: '127.0.0.1', port, user: 'draupnir' }, work, 100);
    await expect(talk).rejects.toThrow(TOO_LONG);
  });

  it('ends when more is said than anybody could want', async () => {
    let said = 0;
    const port = await listen((peer) => {
      peer.write(message('R', '', 2 ** 30));
      const chunk = Buffer.alloc(2 ** 20);
      const more = (): void => {
        while (!peer.destroyed && peer.write(chunk)) said += chunk.length;
      };
      peer.on('drain', more);
      more();
    });
    await expect(speak(port)).rejects.toThrow();
    expect(said).toBeLessThan(2 ** 29);
  });
});
