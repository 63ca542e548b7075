import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isExempt } from '../../../src/cli/no-proxy.ts';

const at = (host: string): URL => new URL(`https://${host}`);

describe('NO_PROXY', () => {
  it.each([
    ['*', 'draupnir.example.com'],
    ['example.com', 'example.com'],
    ['example.com', 'draupnir.example.com'],
    ['.example.com', 'draupnir.example.com'],
    ['.example.com', 'example.com'],
    ['*.example.com', 'draupnir.example.com'],
    ['EXAMPLE.com.', 'Draupnir.Example.com'],
    ['example.com', 'draupnir.example.com.'],
    ['other.example, example.com', 'draupnir.example.com'],
    ['other.example example.com', 'draupnir.example.com'],
    ['draupnir.example.com:8443', 'draupnir.example.com:8443'],
    ['draupnir.example.com:443', 'draupnir.example.com'],
    ['localhost', 'localhost:8443'],
    ['127.0.0.1', '127.0.0.1'],
    ['127.0.0.0/8', '127.1.2.3'],
    ['10.0.0.0/8,192.168.0.0/16', '192.168.7.9:8443'],
    ['::1', '[::1]'],
    ['[::1]', '[::1]'],
    ['[::1]:8443', '[::1]:8443'],
    ['2001:db8::/32', '[2001:db8:0:1::7]'],
    ['0.0.0.0/0', '203.0.113.7'],
  ])('%s exempts %s', (list, host) => {
    expect(isExempt(at(host), list)).toBe(true);
  });

  it.each([
    ['', 'draupnir.example.com'],
    [' , ', 'draupnir.example.com'],
    ['example.com', 'anexample.com'],
    ['example.com', 'example.com.evil.example'],
    ['draupnir.example.com', 'example.com'],
    ['draupnir.example.com:8443', 'draupnir.example.com'],
    ['.', 'draupnir.example.com'],
    ['example.*', 'example.com'],
    // Loopback has no rule of its own.
    ['example.com', 'localhost'],
    ['localhost', '127.0.0.1'],
    ['127.0.0.1', '127.0.0.2'],
    ['127.0.0.0/33', '127.0.0.1'],
    ['127.0.0.0/8/8', '127.0.0.1'],
    ['127.0.0.0/x', '127.0.0.1'],
    ['1', '127.0.0.1'],
    ['0.1', '127.0.0.1'],
    ['::/0', '127.0.0.1'],
    ['0.0.0.0/0', '[::1]'],
    ['[::1]:8443', '[::1]'],
  ])('%j does not exempt %s', (list, host) => {
    expect(isExempt(at(host), list)).toBe(false);
  });

  it('exempts nothing by what it cannot read, and never throws', () => {
    fc.assert(
      fc.property(fc.string(), fc.domain(), (text, domain) => {
        const list = text.replace(/[*a-z0-9]/gi, '');
        expect(isExempt(at(domain), list)).toBe(false);
        isExempt(at('127.0.0.1'), text);
        isExempt(at('[::1]'), text);
      }),
    );
  });
});
