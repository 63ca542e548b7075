import { join } from 'node:path';
import type { Metafile } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { describeMaterials } from '../../../scripts/dev/bill-of-materials.ts';

const checkout = join(import.meta.dirname, '../../..');

/** What esbuild reports of a bundle. */
function createMetafile(...files: string[]): Metafile {
  const input = { bytes: 1, imports: [] };
  return { inputs: Object.fromEntries(files.map((file) => [file, input])), outputs: {} };
}

const server = createMetafile('src/cli.ts', 'node_modules/pg/lib/index.js', 'node_modules/pg/lib/client.js');
const sentry = createMetafile('node_modules/@sentry/node/build/index.js', 'node_modules/pg/lib/index.js');

interface Component {
  name: string;
  purl?: string;
  version: string;
  components?: Component[];
}

describe('the bill of materials', () => {
  const text = describeMaterials(checkout, [server, sentry]);
  const bom = JSON.parse(text) as { bomFormat: string; components: Component[] };

  it('lists Node, what Node is made of, and each npm package once', () => {
    expect(bom.bomFormat).toBe('CycloneDX');
    const { node } = process.versions;
    expect(bom.components.map(({ purl }) => purl?.replace(/[\d.]+$/, ''))).toEqual([
      'pkg:generic/node@',
      'pkg:npm/%40sentry/node@',
      'pkg:npm/pg@',
    ]);
    const platform = bom.components.find(({ purl }) => purl === `pkg:generic/node@${node}`);
    expect(platform?.components?.map(({ name }) => name)).toEqual(expect.arrayContaining(['openssl', 'v8']));
  });

  it('depends on neither the order of the bundles nor the time', () => {
    expect(describeMaterials(checkout, [sentry, server])).toBe(text);
    expect(bom).not.toHaveProperty('serialNumber');
    expect(bom).not.toHaveProperty('metadata.timestamp');
  });
});
