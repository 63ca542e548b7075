import { once } from 'node:events';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createApp } from './app-under-test.ts';

/** The address that is logged for a request with these header lines, each as it is. */
async function getLoggedAddress(lines: string[], trustedProxyCidrs: string[]): Promise<unknown> {
  const { app, log } = createApp('exact', {
    forwarding: { useXForwardedFor: true, trustedProxyCidrs },
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const socket = connect((app.server.address() as AddressInfo).port, '127.0.0.1');
  const headers = ['Host: localhost', 'Connection: close', ...lines].join('\r\n');
  socket.end(`GET /nothing HTTP/1.1\r\n${headers}\r\n\r\n`);
  socket.resume();
  await once(socket, 'close');
  const request = log.at('info').find(({ message }) => message === 'request');
  return request && Reflect.get(request.fields, 'address');
}

describe('the address of a request', () => {
  it.each([
    ['a direct peer cannot choose it', ['X-Forwarded-For: 203.0.113.7'], ['10.0.0.0/8'], '127.0.0.1'],
    [
      'a second line is right of the first',
      ['X-Forwarded-For: 1.1.1.1', 'X-Forwarded-For: 203.0.113.7'],
      ['127.0.0.1/32'],
      '203.0.113.7',
    ],
    [
      'a second line in other letters counts as well',
      ['X-Forwarded-For: 1.1.1.1', 'x-forwarded-for: 203.0.113.7:4711'],
      ['127.0.0.1/32'],
      '203.0.113.7',
    ],
    [
      'a client in the trusted range is found behind its proxy',
      ['X-Forwarded-For: 203.0.113.7, 127.0.0.9'],
      ['127.0.0.1/32'],
      '127.0.0.9',
    ],
    [
      'an empty second line spoils nothing',
      ['X-Forwarded-For: 203.0.113.7', 'X-Forwarded-For:'],
      ['127.0.0.1/32'],
      '127.0.0.1',
    ],
  ])('%s', async (_case, lines, cidrs, address) => {
    expect(await getLoggedAddress(lines, cidrs)).toBe(address);
  });
});
