import type { AllowList } from '../../../src/core/addresses.ts';
import type { ErrorReporter } from '../../../src/core/error-reporter.ts';
import { Images } from '../../../src/core/images.ts';
import type {
  CertificateChain,
  InstanceProof,
  PortProbe,
  Postmasters,
  Sealer,
} from '../../../src/core/instance.ts';
import { InstanceSupervisor } from '../../../src/core/instance-supervisor.ts';
import { Instances } from '../../../src/core/instances.ts';
import { Limiter } from '../../../src/core/limiter.ts';
import type { Volume } from '../../../src/core/volume.ts';
import { WarmFiller } from '../../../src/jobs/fill-warm-instances.ts';
import { InstanceCredentials } from '../../../src/core/instance-credentials.ts';
import { FakeCertificateProof, FakeCertificateStorage, FakeCredentialStore } from './fake-certificates.ts';
import { FakeImageStorage } from './fake-image-storage.ts';
import { FakeImageStore } from './fake-image-store.ts';
import { FakeInstanceStorage } from './fake-instance-storage.ts';
import { FakeInstanceStore } from './fake-instance-store.ts';
import { RecordingLog } from './recording-log.ts';
import { RecordingMeter } from './recording-meter.ts';
import { Steps } from './steps.ts';

/** Ports the instances of a world may have. */
export const PORT_RANGE = { min: 6000, max: 6004 };

/** Keeps who was let in. Steps: `allowList.<method>`. */
export class FakeAllowList implements AllowList {
  readonly admitted: { instanceId: number; address: string }[] = [];
  readonly #steps: Steps;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  require(): Promise<void> {
    return this.#steps.run('allowList.require', () => undefined);
  }

  admit(instanceId: number, address: string): Promise<void> {
    return this.#steps.run('allowList.admit', () => void this.admitted.push({ instanceId, address }));
  }

  withdraw(): Promise<void> {
    return this.#steps.run('allowList.withdraw', () => undefined);
  }
}

/** Postmasters that live until a test says otherwise. */
export class FakePostmasters implements Postmasters {
  readonly alive = new Set<number>();
  readonly #steps: Steps;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  remember(id: number): Promise<void> {
    return this.#steps.run('postmasters.remember', () => void this.alive.add(id));
  }

  isAlive(id: number): Promise<boolean> {
    return Promise.resolve(this.alive.has(id));
  }

  forget(id: number): void {
    this.alive.delete(id);
  }
}

/** A volume with room, unless the step `volume.requireSpace` or `volume.requireMounted` is made to fail. */
export class FakeVolume implements Volume {
  readonly #steps: Steps;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  requireMounted(): Promise<void> {
    return this.#steps.run('volume.requireMounted', () => undefined);
  }

  requireSpace(): Promise<void> {
    return this.#steps.run('volume.requireSpace', () => undefined);
  }
}

/** Ports of a host on which strangers listen. Step: `ports.isFree`. */
export class FakePortProbe implements PortProbe {
  readonly taken = new Set<number>();
  readonly #steps: Steps;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  isFree(port: number): Promise<boolean> {
    return this.#steps.run('ports.isFree', () => !this.taken.has(port));
  }
}

/** Believes everything, unless the step `proof.prove` is made to fail. */
export class FakeProof implements InstanceProof {
  readonly proven: { id: number; port: number; pid: number }[] = [];
  readonly #steps: Steps;

  constructor(steps: Steps) {
    this.#steps = steps;
  }

  async prove(...[{ id, port }, , process]: Parameters<InstanceProof['prove']>): Promise<void> {
    const { pid } = await process;
    return this.#steps.run('proof.prove', () => void this.proven.push({ id, port, pid }));
  }
}

/** Seals by writing the context in front, in clear. */
export class FakeSealer implements Sealer {
  seal(plain: Buffer, context: string): Buffer {
    return Buffer.concat([Buffer.from(`${context}\n`), plain]);
  }

  unseal(box: Buffer, context: string): Buffer {
    if (!box.toString().startsWith(`${context}\n`)) throw new Error('sealed for something else');
    return box.subarray(Buffer.byteLength(`${context}\n`));
  }
}

/** A chain that names its instance, and which one of its chains it is; no certificate is in it. */
export function createFakeChain(instanceId: number, which = ''): CertificateChain {
  const pair = (name: string) => ({
    certificate: `${name} certificate ${instanceId}${which}`,
    key: `${name} key ${instanceId}${which}`,
  });
  return { ca: pair('ca'), server: pair('server'), client: pair('client') };
}

/** The domain on fakes: everything a test can look at. */
export type World = ReturnType<typeof createWorld>;

/** Makes the domain with an empty database, an empty disk and free ports. */
export function createWorld({
  warmInstances = 0,
  errors,
  finaliseTimeoutMs = 60_000,
}: { warmInstances?: number; errors?: ErrorReporter | undefined; finaliseTimeoutMs?: number } = {}) {
  const steps = new Steps();
  const log = new RecordingLog();
  const parts = {
    steps,
    log,
    imageStore: new FakeImageStore(steps),
    imageDisk: new FakeImageStorage(steps),
    store: new FakeInstanceStore(steps),
    disk: new FakeInstanceStorage(steps),
    allowList: new FakeAllowList(steps),
    ports: new FakePortProbe(steps),
    proof: new FakeProof(steps),
    postmasters: new FakePostmasters(steps),
    volume: new FakeVolume(steps),
    sealer: new FakeSealer(),
    meter: new RecordingMeter(),
  };
  const certificates = new FakeCertificateStorage(steps);
  const certified = {
    credentialStore: new FakeCredentialStore(parts.store, steps),
    certificates,
    certificateProof: new FakeCertificateProof(certificates, steps),
  };
  let issued = 0;
  const credentialParts = {
    store: certified.credentialStore,
    instances: parts.store,
    allowList: parts.allowList,
    adopted: parts.disk,
    storage: certificates,
    proof: certified.certificateProof,
    authority: {
      createChain: (id: number) =>
        steps.run('authority.createChain', () => createFakeChain(id, `, new ${++issued}`)),
      renewChain: (id: number, ca: CertificateChain['ca']) =>
        steps.run('authority.renewChain', () => {
          const chain = createFakeChain(id, `, renewed ${++issued}`);
          return { ...chain, ca: { ...chain.ca, key: ca.key } };
        }),
    },
    sealer: parts.sealer,
    volume: parts.volume,
    log,
  };
  const credentials = new InstanceCredentials(credentialParts);
  /** How often the last creation for a user has ended. */
  const idle = { times: 0 };
  const instances = new Instances({
    credentials,
    store: parts.store,
    images: parts.imageStore,
    allowList: parts.allowList,
    storage: parts.disk,
    proof: parts.proof,
    postmasters: parts.postmasters,
    volume: parts.volume,
    limiter: new Limiter({ concurrency: 4, queueLength: 4 }),
    ports: parts.ports,
    sealer: parts.sealer,
    issueCertificates: (id) => steps.run('certificates.issue', () => createFakeChain(id)),
    log,
    portRange: PORT_RANGE,
    warmInstances,
    meter: parts.meter,
    onIdle: () => {
      idle.times++;
    },
  });
  const images = new Images({
    store: parts.imageStore,
    storage: parts.imageDisk,
    instances,
    volume: parts.volume,
    limiter: new Limiter({ concurrency: 2, queueLength: 2 }),
    log,
    errors,
    finaliseTimeoutMs,
  });
  let now = 0;
  const filler = new WarmFiller({
    images: parts.imageStore,
    store: parts.store,
    instances,
    log,
    count: warmInstances,
    now: () => now,
  });
  const supervisor = new InstanceSupervisor({ ...parts, storage: parts.disk }, () => now, 100);
  /** Lets time pass for the supervisor and the filler, in milliseconds. */
  const pass = (ms: number): void => {
    now += ms;
  };
  /** The credentials as another run of the server has them, on the same database and disk. */
  const restart = (): InstanceCredentials => new InstanceCredentials(credentialParts);
  return { ...parts, ...certified, credentials, restart, images, instances, idle, filler, supervisor, pass };
}
