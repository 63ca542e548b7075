import type { Credentials, KeyPair, Sealer } from './instance.ts';

/** Seals the credentials of an instance; the id is bound in, so that a box moved to another record does not open. */
export function sealCredentials(sealer: Sealer, instanceId: number, credentials: Credentials): Buffer {
  return sealer.seal(Buffer.from(JSON.stringify(credentials)), context(instanceId));
}

/** Opens what `sealCredentials` made for the same instance; throws otherwise. */
export function openCredentials(sealer: Sealer, instanceId: number, box: Buffer): Credentials {
  const content: unknown = JSON.parse(sealer.unseal(box, context(instanceId)).toString());
  if (!isCredentials(content)) throw new Error(`credentials of instance ${instanceId} are damaged`);
  return content;
}

function context(instanceId: number): string {
  return `instance ${instanceId} credentials`;
}

function isCredentials(value: unknown): value is Credentials {
  return isRecord(value) && isKeyPair(value['ca']) && isKeyPair(value['client']);
}

function isKeyPair(value: unknown): value is KeyPair {
  return isRecord(value) && typeof value['certificate'] === 'string' && typeof value['key'] === 'string';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
