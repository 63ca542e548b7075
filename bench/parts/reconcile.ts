import { VERSION } from '../../spec/e2e/support/api.ts';
import { DEVELOPER, INSTANCE_PORTS } from '../../spec/e2e/support/installation.ts';
import { Namespace } from '../../spec/e2e/support/namespace.ts';
import type { Recorder } from '../results.ts';
import type { Workbench } from '../workbench.ts';

const SAMPLES = 15;
const ROWS = [0, 100, 1000];

/** An owner who comes from an address that is not known yet waits until the whole whitelist is right. */
const REQUEST = `
const [port, path, address, version, token] = process.argv.slice(1);
const headers = { 'Draupnir-Version': version, Authorization: 'Bearer ' + token, 'X-Forwarded-For': address };
const started = performance.now();
require('node:http').get({ host: '127.0.0.1', port, path, headers }, (response) => {
  response.resume().on('end', () => {
    if (response.statusCode !== 200) throw new Error('status ' + response.statusCode);
    console.log(JSON.stringify(performance.now() - started));
  });
});
`;

/** Creates an instance from within, and prints its id. */
const CREATE = `
const [port, imageId, version, token] = process.argv.slice(1);
const headers = { 'Draupnir-Version': version, Authorization: 'Bearer ' + token };
const body = JSON.stringify({ data: { type: 'instances', attributes: { image_id: imageId } } });
const request = require('node:http').request({ method: 'POST', host: '127.0.0.1', port, path: '/instances', headers }, (response) => {
  let text = '';
  response.on('data', (chunk) => (text += chunk)).on('end', () => console.log(JSON.parse(text).data.id));
});
request.end(body);
`;

const NETWORK = `enable_ip_whitelisting = true
whitelist_reconcile_interval = "1h"
block_instance_egress = false
use_x_forwarded_for = true
trusted_proxy_cidrs = ["127.0.0.0/8"]`;

/** Making the firewall equal to the whitelist, with so many addresses in it; in a network of its own. */
export async function benchReconcile(bench: Workbench, record: Recorder): Promise<void> {
  const { installation, imageId } = bench;
  const namespace = await Namespace.create('bench');
  try {
    await bench.start({ network: NETWORK, ports: INSTANCE_PORTS }, namespace);
    const port = String(installation.httpPort);
    const id = await namespace.evaluate(CREATE, port, String(imageId), VERSION, DEVELOPER);
    const path = `/instances/${String(id)}`;
    const count = bench.count(SAMPLES);
    for (const rows of ROWS) {
      for (let round = 0; round < count; round++) {
        await bench.sql(fill(Number(id), rows));
        const ms = await namespace.evaluate(
          REQUEST,
          port,
          path,
          `203.0.113.${round + 1}`,
          VERSION,
          DEVELOPER,
        );
        record.add(`rows_${rows}_ms`, Number(ms));
      }
    }
    await bench.start();
    await bench.api.destroyInstance(Number(id));
  } finally {
    await bench.start();
    await namespace.remove();
  }
}

/** Exactly so many addresses, none of them one that asks. */
function fill(id: number, rows: number): string {
  return `DELETE FROM whitelisted_addresses;
    INSERT INTO whitelisted_addresses SELECT '10.0.0.0'::inet + i, ${id}, now(), now() FROM generate_series(1, ${rows}) i`;
}
