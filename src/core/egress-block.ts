import type { Firewall } from './firewall.ts';
import type { Log } from './log.ts';
import type { PartState } from './readiness.ts';

/**
 * Keeps instances from connecting anywhere, where the host can do that. Where it never could the server works without; once it
 * has worked, a failure counts.
 */
export class EgressBlock {
  readonly #firewall: Pick<Firewall, 'blockEgress'>;
  readonly #log: Log;
  #state: 'untried' | 'unusable' | 'working' | 'failing' = 'untried';

  constructor(firewall: Pick<Firewall, 'blockEgress'>, log: Log) {
    this.#firewall = firewall;
    this.#log = log;
  }

  /** Makes the rules right. Never throws; a change for the worse or the better is logged. */
  async apply(): Promise<void> {
    const before = this.#state;
    try {
      const changed = await this.#firewall.blockEgress();
      this.#state = 'working';
      if (before === 'failing' || before === 'unusable') {
        this.#log.info({}, 'outgoing connections of instances are blocked again');
      } else if (changed && before === 'working') {
        this.#log.warn({}, 'rules against outgoing connections were changed by others; put right');
      }
    } catch (error) {
      this.#state = before === 'working' || before === 'failing' ? 'failing' : 'unusable';
      if (this.#state === before) return;
      const hint = 'install iptables, or set block_instance_egress = false';
      if (this.#state === 'failing') {
        this.#log.error({ err: error }, 'cannot block outgoing connections of instances any more');
      } else this.#log.warn({ err: error, hint }, 'instances can make outgoing connections');
    }
  }

  /** For the readiness of the server. */
  getState(): PartState {
    if (this.#state === 'working') return { status: 'ok' };
    const detail = 'instances can make outgoing connections: see the log';
    return { status: this.#state === 'failing' ? 'failing' : 'off', detail };
  }
}
