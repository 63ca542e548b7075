import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { VERSION } from '../../spec/e2e/support/api.ts';
import { getApiCertificate } from '../../spec/e2e/support/certificate.ts';
import { runCommand } from '../../spec/e2e/support/command.ts';
import { DEVELOPER } from '../../spec/e2e/support/installation.ts';
import type { Recorder } from '../results.ts';
import { measure } from '../statistics.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 41;

/** What a bare client does: one request over HTTPS, its body to the end. */
const REQUEST = `
const [port, version, token] = process.argv.slice(1);
const headers = { 'Draupnir-Version': version, Authorization: 'Bearer ' + token };
require('node:https').get({ host: 'localhost', port, path: '/images', headers }, (response) => response.resume());
`;

/** The command line beside bare node. */
export async function benchCli(bench: Workbench, record: Recorder): Promise<void> {
  const { installation } = bench;
  const { program, httpsPort, scratch } = installation;
  const settings = join(scratch, 'bench-settings');
  const domain = `localhost:${httpsPort}`;
  await writeFile(settings, `Domain = "${domain}"\n\n[Token]\nRefreshToken = "${DEVELOPER}"\n`, {
    mode: 0o600,
  });
  const ca = getApiCertificate(installation).certificate;
  const env = { HOME: scratch, DRAUPNIR_SETTINGS: settings, NODE_EXTRA_CA_CERTS: ca };
  const request = ['-e', REQUEST, '--', String(httpsPort), VERSION, DEVELOPER];
  const commands: Record<string, string[]> = {
    bare_node_ms: [process.execPath, '-e', '0'],
    version_ms: [program, '--version'],
    bare_request_ms: [process.execPath, ...request],
    images_list_ms: [program, 'images', 'list'],
  };
  const count = bench.count(SAMPLES);
  for (let round = -1; round < count; round++) {
    for (const [name, argv] of Object.entries(commands)) {
      const { ms, result } = await measure(() =>
        runCommand(argv, { env: name.startsWith('b') || name.startsWith('i') ? env : {} }),
      );
      if (result.exitCode !== 0) throw new Error(`${name} ended with ${result.exitCode}: ${result.stderr}`);
      if (round >= 0) record.add(name, ms);
    }
  }
}
