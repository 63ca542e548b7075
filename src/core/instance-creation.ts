import type { Instance } from './instance.ts';
import type { InstancesParts, InstanceWithCredentials } from './instances.ts';
import type { Laps } from './laps.ts';
import { sealCredentials } from './sealed-credentials.ts';

type CreationParts = Pick<
  InstancesParts,
  'store' | 'allowList' | 'storage' | 'proof' | 'credentials' | 'postmasters' | 'sealer' | 'issueCertificates'
>;

/**
 * Makes what a record stands for, proves it, opens it and records that. Without an address nobody is let in. A failure leaves
 * a record in state `creating`, and may leave more.
 */
export async function make(
  parts: CreationParts,
  record: Instance,
  address: string | undefined,
  laps: Laps,
): Promise<InstanceWithCredentials> {
  const { store, storage, proof, postmasters, sealer } = parts;
  const { id } = record;
  const issuing = parts.issueCertificates(id);
  const starting = storage.createInstance(record, issuing);
  const proving = issuing.then((chain) => proof.prove(record, chain, starting));
  // It is waited for below, unless there is nothing to prove: of that the start tells.
  proving.catch(() => undefined);
  const process = await starting;
  const chain = await issuing;
  laps.end('start');
  try {
    // The firewall's transaction takes about as long as the proof.
    await Promise.all([proving, admit(parts, id, address)]);
    laps.end('prove');
    await process.open();
  } catch (error) {
    await process.abandon();
    throw error;
  }
  await postmasters.remember(id, process.pid);
  const credentials = { ca: chain.ca, client: chain.client };
  const instance = await store.open(id, sealCredentials(sealer, id, credentials));
  laps.end('open');
  return { instance, credentials };
}

/** Gives an instance that was made in advance to whom its record names by now: it is proven, and runs. Fails as `make` does. */
export async function handOver(
  parts: CreationParts,
  record: Instance,
  address: string | undefined,
  laps: Laps,
): Promise<InstanceWithCredentials> {
  const { store } = parts;
  const [credentials] = await Promise.all([parts.credentials.get(record), admit(parts, record.id, address)]);
  laps.end('admit');
  const instance = await store.open(record.id);
  laps.end('open');
  return { instance, credentials };
}

async function admit(parts: CreationParts, id: number, address: string | undefined): Promise<void> {
  if (address !== undefined) await parts.allowList.admit(id, address);
}
