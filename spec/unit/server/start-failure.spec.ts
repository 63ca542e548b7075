import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigError } from '../../../src/config/problem.ts';
import { reportStartFailure } from '../../../src/server/start-failure.ts';

let written = '';
beforeEach(() => {
  written = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written += String(text);
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

describe('a server that cannot start', () => {
  it('names every problem of its configuration, a line each, and exits with 78', () => {
    const problems = [
      { file: 'a.toml', path: 'data_path', message: 'must be given' },
      { file: 'a.toml', path: 'http.listen_address', message: 'must be an address', found: '"x"' },
    ];
    const warnings = [{ file: 'a.toml', path: 'data_pth', message: 'unknown key' }];
    expect(reportStartFailure(new ConfigError(problems, warnings))).toBe(78);
    expect(written.split('\n')).toEqual([
      'draupnir: a.toml: data_path: must be given',
      'draupnir: a.toml: http.listen_address: must be an address (found "x")',
      'draupnir: a.toml: data_pth: warning: unknown key',
      '',
    ]);
  });

  it('says what failed in one line, without a stack or a cause, and exits with 1', () => {
    const cause = new Error('password hunter2');
    expect(reportStartFailure(new Error('the database lacks migrations', { cause }))).toBe(1);
    expect(written).toBe('draupnir: the database lacks migrations\n');
  });

  it('names all addresses that were tried', () => {
    const errors = [
      new Error('connect ECONNREFUSED ::1:5432'),
      new Error('connect ECONNREFUSED 127.0.0.1:5432'),
    ];
    expect(reportStartFailure(new AggregateError(errors))).toBe(1);
    expect(written).toBe('draupnir: connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432\n');
  });

  it('does not show what was thrown and is no error', () => {
    expect(reportStartFailure({ token: 'hunter2' })).toBe(1);
    expect(written).toBe('draupnir: unknown failure\n');
  });
});
