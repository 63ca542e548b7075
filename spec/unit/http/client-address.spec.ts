import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createClientAddressFinder, parseAddress } from '../../../src/http/client-address.ts';

const PROXIES = ['10.0.0.0/8', 'fd00::/8'];
const behindProxies = createClientAddressFinder({ useXForwardedFor: true, trustedProxyCidrs: PROXIES });
const behindAnything = createClientAddressFinder({ useXForwardedFor: true, trustedProxyCidrs: [] });

describe('the client address', () => {
  it.each([
    ['no header', '10.0.0.1', undefined, '10.0.0.1'],
    ['one entry from a trusted proxy', '10.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['an untrusted peer is not believed', '198.51.100.9', '203.0.113.7', '198.51.100.9'],
    [
      'what the client itself put in front is not believed',
      '10.0.0.1',
      '1.1.1.1, 203.0.113.7',
      '203.0.113.7',
    ],
    ['a chain of trusted proxies', '10.0.0.1', '203.0.113.7, 10.0.0.3,10.0.0.2', '203.0.113.7'],
    ['a client inside the trusted range', '10.0.0.1', '10.9.9.9', '10.9.9.9'],
    ['an unreadable entry ends the walk', '10.0.0.1', '203.0.113.7, unknown, 10.0.0.2', '10.0.0.2'],
    ['an unreadable entry next to the proxy', '10.0.0.1', '203.0.113.7, _hidden', '10.0.0.1'],
    ['an empty header', '10.0.0.1', '', '10.0.0.1'],
    ['an entry with a port', '10.0.0.1', '203.0.113.7:4711', '203.0.113.7'],
    ['an IPv6 entry with brackets and port', 'fd00::1', '[2001:DB8::7]:4711', '2001:db8::7'],
    ['a mapped peer', '::ffff:10.0.0.1', '203.0.113.7', '203.0.113.7'],
    ['a mapped entry', '10.0.0.1', '::ffff:203.0.113.7, ::ffff:10.0.0.2', '203.0.113.7'],
    ['several header lines, joined', '10.0.0.1', '1.1.1.1, 203.0.113.7, 10.0.0.2', '203.0.113.7'],
  ])('%s', (_case, peer, header, client) => {
    expect(behindProxies(peer, header)).toBe(client);
  });

  it('reports a peer whose header is ignored, and no other', () => {
    const ignored: string[] = [];
    const rules = { useXForwardedFor: true, trustedProxyCidrs: PROXIES };
    const find = createClientAddressFinder(rules, (peer) => ignored.push(peer));
    expect(find('10.0.0.1', '203.0.113.7')).toBe('203.0.113.7');
    expect(find('198.51.100.9', undefined)).toBe('198.51.100.9');
    expect(ignored).toEqual([]);
    expect(find('::ffff:198.51.100.9', '203.0.113.7')).toBe('198.51.100.9');
    expect(ignored).toEqual(['198.51.100.9']);
  });

  it('takes the last entry from anybody when no proxies are named', () => {
    expect(behindAnything('198.51.100.9', '1.1.1.1, 203.0.113.7')).toBe('203.0.113.7');
  });

  it('ignores the header unless it is switched on', () => {
    const plain = createClientAddressFinder({ useXForwardedFor: false, trustedProxyCidrs: PROXIES });
    expect(plain('10.0.0.1', '203.0.113.7')).toBe('10.0.0.1');
  });

  it('is never an address that an outsider has put left of the proxies’ own entries', () => {
    const outsider = fc.ipV4().filter((address) => !address.startsWith('10.'));
    fc.assert(
      fc.property(fc.string(), outsider, (spoofed, real) => {
        expect(behindProxies('10.0.0.1', `${spoofed}, ${real}, 10.0.0.2`)).toBe(real);
      }),
    );
  });

  it('is an address again whatever the header holds', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect(parseAddress(behindProxies('10.0.0.1', header))).toBeDefined();
      }),
    );
  });
});

describe('parseAddress', () => {
  it('reads IPv4 and IPv6 in their plain form', () => {
    fc.assert(fc.property(fc.ipV4(), (address) => parseAddress(address) === address));
    fc.assert(fc.property(fc.ipV6(), (address) => parseAddress(address) !== undefined));
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '[1.2.3.4]',
    'localhost',
    '::1:',
    '1.2.3.4:',
    '1.2.3.4:999999',
    '[::1',
    'x[2001:db8::7]',
    '[2001:db8::7]x',
    ' 1.2.3.4',
  ])('does not take %j for an address', (text) => expect(parseAddress(text)).toBeUndefined());

  it('drops the zone of a link-local address', () => {
    expect(parseAddress('fe80::1%eth0')).toBe('fe80::1');
  });
});
