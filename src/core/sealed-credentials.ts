import type { CertificateChain, Credentials, KeyPair, Sealer } from './instance.ts';

/** What the metadata database keeps of the certificates of an instance, sealed. */
export interface StoredCredentials extends Credentials {
  /**
   * The chain that is to take the place of this one, written before the instance is touched: whoever finds it finishes the
   * change, so that what the instance serves and what its owner is given are the same again.
   */
  readonly next?: CertificateChain;
}

/** Seals the credentials of an instance; the id is bound in, so that a box moved to another record does not open. */
export function sealCredentials(sealer: Sealer, instanceId: number, credentials: StoredCredentials): Buffer {
  return sealer.seal(Buffer.from(JSON.stringify(credentials)), context(instanceId));
}

/** Opens what `sealCredentials` made for the same instance; throws otherwise. */
export function openCredentials(sealer: Sealer, instanceId: number, box: Buffer): StoredCredentials {
  const content: unknown = JSON.parse(sealer.unseal(box, context(instanceId)).toString());
  if (!isStoredCredentials(content)) throw new Error(`credentials of instance ${instanceId} are damaged`);
  return content;
}

function context(instanceId: number): string {
  return `instance ${instanceId} credentials`;
}

function isStoredCredentials(value: unknown): value is StoredCredentials {
  if (!isCredentials(value)) return false;
  const next = 'next' in value ? value.next : undefined;
  return next === undefined || (isCredentials(next) && 'server' in next && isKeyPair(next.server));
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
