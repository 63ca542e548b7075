import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseDatabaseUrl } from '../../../src/config/database-url.ts';

function read(text: string) {
  const database = parseDatabaseUrl(text);
  if ('problems' in database) throw new Error(database.problems.join('; '));
  return database;
}

function readProblems(text: string): string[] {
  const database = parseDatabaseUrl(text);
  return 'problems' in database ? database.problems : [];
}

describe('parseDatabaseUrl', () => {
  it('reads both forms into the same database', () => {
    const uri = read(
      'postgres://draupnir:pass@db.example.com:5433/meta?sslmode=verify-full&sslrootcert=/ca&connect_timeout=5',
    );
    const keywords = read(
      'host=db.example.com port=5433 user=draupnir password=pass dbname=meta sslmode=verify-full sslrootcert=/ca connect_timeout=5',
    );
    expect(uri).toMatchObject({
      host: 'db.example.com',
      port: 5433,
      user: 'draupnir',
      database: 'meta',
      sslMode: 'verify-full',
      sslRootCert: '/ca',
      connectTimeoutMs: 5000,
    });
    // Secrets equal each other here: nothing of them can be seen.
    expect(keywords).toEqual(uri);
    expect([uri.password?.reveal(), keywords.password?.reveal()]).toEqual(['pass', 'pass']);
  });

  it('keeps the text and the password secret', () => {
    const database = read('host=h password=hunter2');
    expect(inspect(database) + JSON.stringify(database)).not.toContain('hunter2');
    expect(database.raw.reveal()).toBe('host=h password=hunter2');
  });

  it.each([
    ['host=h', 'require'],
    ['dbname=d', 'require'],
    ['host=h sslmode=disable', 'disable'],
    ['host=h sslmode=require sslrootcert=/ca', 'verify-ca'],
    ['host=h sslmode=verify-ca sslrootcert=system', 'verify-full'],
    ['host=h sslmode=disable sslrootcert=system', 'disable'],
    ['host=/run/postgresql sslmode=verify-full', 'disable'],
    ['postgres://h?ssl=true', 'require'],
  ])('connects to %j with sslmode %s', (text, sslMode) => {
    expect(read(text).sslMode).toBe(sslMode);
  });

  it('treats empty values as absent', () => {
    expect(Object.keys(read("host=h port='' user='' sslmode='' connect_timeout=''")).sort()).toEqual([
      'host',
      'raw',
      'sslMode',
    ]);
  });

  it('takes application_name before its fallback, in any order', () => {
    expect(read('fallback_application_name=b application_name=a').applicationName).toBe('a');
    expect(read('fallback_application_name=b').applicationName).toBe('b');
  });

  it('waits for ever with a connect_timeout of 0 or less', () => {
    expect(read('connect_timeout=1').connectTimeoutMs).toBe(1000);
    expect(read('connect_timeout=0').connectTimeoutMs).toBeUndefined();
    expect(read('connect_timeout=-1').connectTimeoutMs).toBeUndefined();
  });

  it('reports every problem at once, without a value', () => {
    const problems = readProblems(
      'host=a,b port=hunter2 sslmode=hunter2 connect_timeout=hunter2 client_encoding=hunter2 sslcert=/c',
    );
    expect(problems).toHaveLength(6);
    expect(problems.join(' ')).not.toContain('hunter2');
    expect(problems).toEqual(
      expect.arrayContaining([
        'host must be one host, not a list',
        'port must be a number from 1 to 65535',
        'connect_timeout must be a whole number of seconds',
        'client_encoding must be UTF8',
        'sslcert and sslkey must be given together',
      ]),
    );
  });

  it.each(['sslmode=prefer', 'sslmode=allow'])('refuses %s, which may not encrypt', (text) => {
    expect(readProblems(text)).toEqual([
      expect.stringMatching(/^sslmode must be disable, require, verify-ca, verify-full/),
    ]);
  });

  it.each(['port=1', 'port=65535', 'connect_timeout=1', 'client_encoding=UTF8', 'client_encoding=utf-8'])(
    'takes %s',
    (text) => {
      expect(readProblems(text)).toEqual([]);
    },
  );

  it.each(['port=0', 'port=65536', 'port=-1', 'port=1e3', 'host=@abstract', 'connect_timeout=1000000'])(
    'refuses %s',
    (text) => {
      expect(readProblems(text)).toHaveLength(1);
    },
  );

  it('names the nearest keyword for one it does not know, even one that objects have', () => {
    expect(readProblems('pasword=x')).toEqual([
      expect.stringContaining('"pasword", which draupnir does not know; the nearest it knows is "password"'),
    ]);
    expect(readProblems('constructor=x')).toHaveLength(1);
    expect(readProblems('x=1')).toEqual([expect.stringContaining('"x"')]);
  });

  it('does not repeat what may be a piece of a password', () => {
    expect(readProblems('password=a Hunter2=b').join()).not.toContain('Hunter2');
  });

  it('passes on what is wrong with the form', () => {
    expect(readProblems('host')).toEqual([expect.stringContaining('at character 1')]);
  });
});
