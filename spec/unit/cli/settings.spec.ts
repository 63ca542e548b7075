import { parse as parseToml } from '@iarna/toml';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CliError, EXIT_CONFIG } from '../../../src/cli/failure.ts';
import { createSettings, formatSettings, parseSettings, type Settings } from '../../../src/cli/settings.ts';

const FILE = '/home/me/.draupnir';

/** As the original wrote it. */
const GO_FILE = `Domain = "draupnir.example.com:8443"
Database = "my_app"

[Token]
  AccessToken = "ya29.access"
  TokenType = "Bearer"
  RefreshToken = "1/refresh"
  Expiry = 2019-06-27T14:33:49.123456789+01:00
`;

function findFailure(text: string): CliError {
  try {
    parseSettings(text, FILE);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('the settings were accepted');
}

describe('settings', () => {
  it('are read from a file of the original', () => {
    expect(parseSettings(GO_FILE, FILE)).toMatchObject({
      domain: 'draupnir.example.com:8443',
      database: 'my_app',
      token: {
        accessToken: 'ya29.access',
        tokenType: 'Bearer',
        refreshToken: '1/refresh',
        expiry: new Date('2019-06-27T13:33:49.123Z'),
      },
    });
  });

  it.each([
    ['line ends of Windows', GO_FILE.replaceAll('\n', ' # a comment\r\n')],
    ['a byte order mark', `\uFEFF${GO_FILE}`],
    [
      'a byte order mark before JSON',
      '\uFEFF{"Domain": "draupnir.example.com:8443", "Database": "my_app"}\r\n',
    ],
  ])('are read from a file with %s', (_what, text) => {
    expect(parseSettings(text, FILE)).toMatchObject({
      domain: 'draupnir.example.com:8443',
      database: 'my_app',
    });
  });

  it('survive the zero time that the original wrote for someone not signed in', () => {
    const settings = parseSettings('[Token]\nExpiry = 0001-01-01T00:00:00Z\n', FILE);
    expect(formatSettings(settings)).toContain('Expiry = 0001-01-01T00:00:00.000Z');
  });

  it('are read whatever the case of the keys', () => {
    const { domain, database, token } = parseSettings(
      'DOMAIN = "a.example"\ndatabase = "b"\n[token]\naccesstoken = "c"\nREFRESHTOKEN = "d"\n',
      FILE,
    );
    expect([domain, database, token.accessToken, token.refreshToken]).toEqual(['a.example', 'b', 'c', 'd']);
  });

  it('prefer the exact spelling of a key that is there twice, and write it once', () => {
    const settings = parseSettings('domain = "wrong.example"\nDomain = "right.example"\n', FILE);
    expect(settings.domain).toBe('right.example');
    expect(formatSettings(settings)).not.toContain('wrong.example');
  });

  it.each([
    [
      'as the Go library wrote it',
      { access_token: 'a', token_type: 'Bearer', refresh_token: 'r', expiry: '2019-06-27T13:33:49Z' },
    ],
    [
      'with capitalised keys',
      { AccessToken: 'a', TokenType: 'Bearer', RefreshToken: 'r', Expiry: '2019-06-27T13:33:49Z' },
    ],
  ])('are read from the older JSON form %s', (_name, token) => {
    const text = JSON.stringify({ Domain: 'draupnir.example.com', Database: 'my_app', Token: token });
    expect(parseSettings(text, FILE)).toEqual({
      domain: 'draupnir.example.com',
      database: 'my_app',
      token: {
        accessToken: 'a',
        tokenType: 'Bearer',
        refreshToken: 'r',
        expiry: new Date('2019-06-27T13:33:49Z'),
      },
      foreign: { top: {}, token: {} },
    });
  });

  it('start with a domain that is to be replaced', () => {
    expect(parseSettings('', FILE)).toEqual(createSettings());
    expect(createSettings().domain).toBe('set-me-to-a-real-domain');
  });

  it('are written with the keys and types that the original reads', () => {
    const written = parseToml(
      formatSettings(parseSettings(GO_FILE.toLowerCase().replace('t14', 'T14'), FILE)),
    );
    expect(Object.keys(written)).toEqual(['Domain', 'Database', 'Token']);
    expect(Object.keys(written['Token'] as object)).toEqual([
      'AccessToken',
      'TokenType',
      'RefreshToken',
      'Expiry',
    ]);
    expect((written['Token'] as { Expiry: unknown }).Expiry).toBeInstanceOf(Date);
  });

  it('keep what they do not know', () => {
    const text = `${GO_FILE}  ExpiresIn = 3600\n\n[Other]\nkey = [ "value" ]\nwhen = 2019-06-27\n`;
    const again = parseToml(formatSettings(parseSettings(`Colour = true\n${text}`, FILE)));
    expect(again).toMatchObject({ Colour: true, Other: { key: ['value'] }, Token: { ExpiresIn: 3600 } });
    expect(again['Other']).toHaveProperty('when');
  });

  it('come back as they were written', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((value) => !/[\p{Cc}]/u.test(value));
    const expiry = fc.option(
      fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
      {
        nil: undefined,
      },
    );
    const settings: fc.Arbitrary<Settings> = fc.record({
      domain: text.filter((value) => value !== ''),
      database: text,
      token: fc.record({ accessToken: text, tokenType: text, refreshToken: text, expiry }),
      foreign: fc.constant({ top: {}, token: {} }),
    });
    fc.assert(
      fc.property(settings, (value) => {
        expect(parseSettings(formatSettings(value), FILE)).toEqual(value);
      }),
    );
  });

  it('name file and line of a mistake, in one line that shows no contents', () => {
    const failure = findFailure('Domain = "a.example"\n[Token]\nRefreshToken = "1/the-secret\n');
    expect(failure.message).toMatch(/^\/home\/me\/\.draupnir: line 3: not valid TOML: /);
    expect(failure.message).not.toMatch(/secret|\n/);
    expect(failure.exitCode).toBe(EXIT_CONFIG);
  });

  it('name the line of a mistake in the older form too, where JSON.parse tells it', () => {
    const failure = findFailure(
      '{\n  "Domain": "a.example",\n  "Token": {"refresh_token": "1/the-secret" "x"}\n}',
    );
    expect(failure.message).toBe('/home/me/.draupnir: line 3: not valid JSON');
  });

  it.each([
    ['Domain = 5', '/home/me/.draupnir: Domain must be a text in quotes'],
    ['Token = "1/the-secret"', '/home/me/.draupnir: Token must be a table'],
    [
      '[Token]\nRefreshToken = [ "1/the-secret" ]',
      '/home/me/.draupnir: Token.RefreshToken must be a text in quotes',
    ],
    [
      '[Token]\nExpiry = "soon"',
      '/home/me/.draupnir: Token.Expiry must be a time such as 2017-05-01T12:00:00Z',
    ],
    ['{"Domain": ', '/home/me/.draupnir: not valid JSON'],
  ])('say what is wrong with %j', (text, message) => {
    expect(findFailure(text).message).toMatch(message);
  });
});
