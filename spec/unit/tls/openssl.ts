import { execFile } from 'node:child_process';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whether openssl accepts `certificate` for `purpose` under `ca`, by the strict rules of RFC 5280; rejects with its words if not. */
export async function verify(
  ca: string,
  certificate: string,
  purpose: string,
  ...options: string[]
): Promise<void> {
  await using folder = await mkdtempDisposable(join(tmpdir(), 'certificate-'));
  const caFile = join(folder.path, 'ca.crt');
  const file = join(folder.path, 'leaf.crt');
  await writeFile(caFile, ca);
  await writeFile(file, certificate);
  // `-no-CApath` and `-no-CAfile`: the machine's own list must not help.
  const rules = [
    '-x509_strict',
    '-check_ss_sig',
    '-policy_check',
    '-no-CApath',
    '-no-CAstore',
    '-purpose',
    purpose,
  ];
  await run('openssl', ['verify', ...rules, ...options, '-CAfile', caFile, file]);
}

/** A certificate in openssl's words. */
export async function print(certificate: string): Promise<string> {
  const child = run('openssl', ['x509', '-noout', '-text']);
  child.child.stdin?.end(certificate);
  return (await child).stdout;
}

/** The DER structure in openssl's words, a line an element. */
export async function printAsn1(certificate: string): Promise<string> {
  const child = run('openssl', ['asn1parse']);
  child.child.stdin?.end(certificate);
  return (await child).stdout;
}
