/** The software bill of materials of the executable, in the form of CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/). */
import { join } from 'node:path';
import { ComponentType } from '@cyclonedx/cyclonedx-library/Enums';
import { Bom, Component, NamedLicense, SpdxLicense } from '@cyclonedx/cyclonedx-library/Models';
import { JSON as JsonForm, JsonSerializer } from '@cyclonedx/cyclonedx-library/Serialize';
import { isSupportedSpdxId } from '@cyclonedx/cyclonedx-library/SPDX';
import { Spec1dot6 } from '@cyclonedx/cyclonedx-library/Spec';
import type { Metafile } from 'esbuild';
import { listBundledPackages, type Manifest, readManifest } from './bundled-packages.ts';

/** Versions that `process.versions` names and that are no software: interfaces, and dates of data. */
const NO_SOFTWARE = ['modules', 'napi', 'tz', 'cldr', 'unicode', 'node'];

/**
 * Lists the program, the npm packages in its bundles, Node, and what Node is made of. It names no time and has no serial number: the
 * same sources give the same text.
 */
export function describeMaterials(root: string, metafiles: readonly Metafile[]): string {
  const bom = new Bom();
  const program = describe(readManifest(root), ComponentType.Application, 'generic');
  bom.metadata.component = program;
  const node = new Component(ComponentType.Platform, 'node', {
    version: process.versions.node,
    bomRef: 'node',
    purl: `pkg:generic/node@${process.versions.node}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${process.versions.node}:*:*:*:*:*:*:*`,
  });
  for (const [name, version = ''] of Object.entries(process.versions)) {
    if (NO_SOFTWARE.includes(name)) continue;
    node.components.add(new Component(ComponentType.Library, name, { version, bomRef: `node/${name}` }));
  }
  const packages = listBundledPackages(metafiles).map((folder) =>
    describe(readManifest(join(root, folder)), ComponentType.Library, 'npm'),
  );
  // A package that is there twice in one version is one component.
  for (const component of [node, ...new Map(packages.map((each) => [each.purl, each])).values()]) {
    bom.components.add(component);
    program.dependencies.add(component.bomRef);
  }
  const form = new JsonForm.Normalize.Factory(Spec1dot6);
  return `${new JsonSerializer(form).serialize(bom, { sortLists: true, space: 2 })}\n`;
}

function describe(
  { name, version, license }: Manifest,
  type: ComponentType,
  kind: 'npm' | 'generic',
): Component {
  const [, group, local = name] = /^(@[^/]+)\/(.+)$/.exec(name) ?? [];
  // Package URL specification, "npm": the @ of a scope is encoded.
  const purl = `pkg:${kind}/${name.replace('@', '%40')}@${version}`;
  const component = new Component(type, local, { version, bomRef: purl, purl, ...(group && { group }) });
  if (license !== undefined) {
    component.licenses.add(isSupportedSpdxId(license) ? new SpdxLicense(license) : new NamedLicense(license));
  }
  return component;
}
