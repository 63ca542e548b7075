import { describe, expect, it } from 'vitest';
import { chooseDatabase, formatExports } from '../../../src/cli/environment.ts';
import { UNSET_VARIABLES } from '../../../src/cli/libpq-variables.ts';
import { formatUnset } from '../../../src/cli/shell-unset.ts';

const instance = { id: 1, hostname: 'db.example.com', port: 16412, createdAt: new Date(0) };
const paths = {
  rootCertificate: '/tmp/d/ca.crt',
  clientCertificate: '/tmp/d/client.crt',
  clientKey: '/tmp/d/client.key',
};

describe('the line for eval', () => {
  it('unsets, and then has the form that scripts know', () => {
    const line = formatExports(instance, paths, 'postgres');
    const unset = formatUnset(UNSET_VARIABLES);
    expect(line.slice(0, unset.length)).toBe(unset);
    expect(line.slice(unset.length)).toBe(
      " && export PGHOST=db.example.com PGPORT=16412 PGUSER=draupnir PGPASSWORD='' PGDATABASE=postgres " +
        "PGSSLMODE=verify-ca PGSSLROOTCERT='/tmp/d/ca.crt' PGSSLCERT='/tmp/d/client.crt' PGSSLKEY='/tmp/d/client.key'",
    );
  });

  it('quotes what a shell would take for more than text', () => {
    const line = formatExports({ ...instance, hostname: '$(reboot)' }, paths, 'a; reboot');
    expect(line).toContain("PGHOST='$'\\('reboot)' ");
    expect(line).toContain("PGDATABASE='a; reboot' ");
  });
});

describe('the database', () => {
  it("is the setting, else the caller's, else postgres", () => {
    expect(chooseDatabase('set', 'callers')).toBe('set');
    expect(chooseDatabase('', 'callers')).toBe('callers');
    expect(chooseDatabase('', '')).toBe('postgres');
    expect(chooseDatabase('', undefined)).toBe('postgres');
  });
});
