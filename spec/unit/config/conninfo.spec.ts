import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConninfoError } from '../../../src/config/conninfo-error.ts';
import { parseConninfo } from '../../../src/config/conninfo.ts';

const parse = (text: string) => Object.fromEntries(parseConninfo(text));

const character = fc.constantFrom(
  "'",
  '\\',
  '=',
  ' ',
  '\t',
  '\n',
  '\r',
  '/',
  '@',
  ':',
  '?',
  '&',
  '%',
  '[',
  ',',
  'a',
  '1',
  'é',
  '😀',
);

describe('parseConninfo, keywords', () => {
  it.each<[string, Record<string, string>]>([
    ['', {}],
    ['  ', {}],
    [
      'host=/run/postgresql user=draupnir dbname=draupnir',
      { host: '/run/postgresql', user: 'draupnir', dbname: 'draupnir' },
    ],
    ['\thost = a\n port\v=\f5 ', { host: 'a', port: '5' }],
    ["password='it\\'s a \\\\ secret'", { password: "it's a \\ secret" }],
    ["password=it\\'s\\ a\\\\b", { password: "it's a\\b" }],
    ["user=o'neil", { user: "o'neil" }],
    ["host='a'port=1", { host: 'a', port: '1' }],
    ["user='' host=a", { user: '', host: 'a' }],
    ['a=b=c', { a: 'b=c' }],
    ['host=a host=b', { host: 'b' }],
    ['user=a\\', { user: 'a' }],
    ['user= host=a', { user: 'host=a' }],
  ])('reads %j as libpq does', (text, settings) => {
    expect(parse(text)).toEqual(settings);
  });

  it.each([
    ['host', 1],
    ['host=a password=my secret', 20],
    ["host=a user='b", 13],
    ["user='b\\'", 6],
    ['=a', 1],
  ])('refuses %j, says where, and quotes nothing of it', (text, character) => {
    expect(() => parseConninfo(text)).toThrow(ConninfoError);
    expect(() => parseConninfo(text)).toThrow(new RegExp(` at character ${character}$`));
    expect(() => parseConninfo(text)).not.toThrow(/secret/);
  });

  it('reads back every value that is quoted or escaped by the rules of the manual', () => {
    const keyword = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '_'), minLength: 1, maxLength: 5 });
    const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\v', '\f', '\r'), maxLength: 3 });
    const quote = (value: string) => `'${value.replace(/[\\']/g, '\\$&')}'`;
    const escape = (value: string) => (value === '' ? "''" : value.replace(/[\\' \t\n\v\f\r]/g, '\\$&'));
    const write = fc.constantFrom(quote, escape);
    const pair = fc.tuple(keyword, fc.string({ unit: character, maxLength: 12 }), write, space, space);
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 4 }), space, (pairs, end) => {
        const text =
          pairs.map(([key, value, written, a, b]) => ` ${a}${key}${b}=${a}${written(value)}`).join('') + end;
        expect(parseConninfo(text)).toEqual(new Map(pairs.map(([key, value]) => [key, value])));
      }),
    );
  });

  it('throws nothing but its own error', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('a', 'b', '=', "'", '\\', ' ', ':', '/', '@', '?', '&', '%', '[', ']', ','),
          maxLength: 20,
        }),
        fc.boolean(),
        (text, uri) => {
          try {
            parseConninfo(uri ? `postgres://${text}` : text);
          } catch (error) {
            expect(error).toBeInstanceOf(ConninfoError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('parseConninfo, URIs', () => {
  it.each<[string, Record<string, string>]>([
    ['postgres://', {}],
    ['postgresql://localhost', { host: 'localhost' }],
    ['postgresql://localhost:5433', { host: 'localhost', port: '5433' }],
    ['postgresql://localhost/mydb', { host: 'localhost', dbname: 'mydb' }],
    ['postgresql://user@localhost', { user: 'user', host: 'localhost' }],
    ['postgresql://user:secret@localhost', { user: 'user', password: 'secret', host: 'localhost' }],
    ['postgresql://u:a:b@h', { user: 'u', password: 'a:b', host: 'h' }],
    ['postgresql://u:@h', { user: 'u', host: 'h' }],
    ['postgresql://:p@h', { password: 'p', host: 'h' }],
    ['postgresql:///mydb?host=localhost&port=5433', { dbname: 'mydb', host: 'localhost', port: '5433' }],
    ['postgresql://[2001:db8::1234]:5/database', { host: '2001:db8::1234', port: '5', dbname: 'database' }],
    ['postgresql:///dbname?host=/var/lib/postgresql', { dbname: 'dbname', host: '/var/lib/postgresql' }],
    ['postgresql://%2Fvar%2Flib%2Fpostgresql/dbname', { host: '/var/lib/postgresql', dbname: 'dbname' }],
    [
      'postgres://u:p%40s%2Fs%3F@h/d?sslmode=disable&',
      { user: 'u', password: 'p@s/s?', host: 'h', dbname: 'd', sslmode: 'disable' },
    ],
    ['postgres://h?ssl=true', { host: 'h', sslmode: 'require' }],
    ['postgres://h?ssl=false&keepalives=true', { host: 'h', ssl: 'false', keepalives: 'true' }],
    ['postgres://h/d?application_name=a+b%20c', { host: 'h', dbname: 'd', application_name: 'a+b c' }],
    ['postgres://h:/d', { host: 'h', dbname: 'd' }],
    ['postgres://a@h/d?host=b', { user: 'a', host: 'b', dbname: 'd' }],
  ])('reads %s as libpq does', (text, settings) => {
    expect(parse(text)).toEqual(settings);
  });

  it.each([
    'postgres://u:se[cret@h:1:2/d',
    'postgres://[::1/d',
    'postgres://[::1]x/d',
    'postgres://[]/d',
    'postgres://u:secret%zz@h/d',
    'postgres://u:secret%00@h/d',
    'postgres://u:secret%ff@h/d',
    'postgres://h/d?secret',
    'postgres://h/d?a=b=secret',
    'postgres://h/d?a=b&&c=d',
  ])('refuses %j and quotes nothing of it', (text) => {
    expect(() => parseConninfo(text)).toThrow(ConninfoError);
    expect(() => parseConninfo(text)).not.toThrow(/secret/);
  });

  it('reads back everything that is percent-encoded', () => {
    const part = fc.string({ unit: character, minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(
        part,
        part,
        part,
        part,
        part,
        fc.integer({ min: 1, max: 65535 }),
        (user, password, host, dbname, name, port) => {
          const [u, p, h, d, n] = [user, password, host, dbname, name].map(encodeURIComponent);
          expect(parse(`postgres://${u}:${p}@${h}:${port}/${d}?application_name=${n}`)).toEqual({
            user,
            password,
            host,
            port: `${port}`,
            dbname,
            application_name: name,
          });
        },
      ),
    );
  });
});
