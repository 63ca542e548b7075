import type { AllowedAddress } from '../core/addresses.ts';
import { DomainError } from '../core/errors.ts';
import type { Firewall } from '../core/firewall.ts';
import type { Script } from './script-command.ts';
import type { ScriptRunner } from './script-runner.ts';
import { buildWhitelistInput } from './whitelist-input.ts';

/** The scripts wait for locks of others, 5 s at a time; longer than a minute means that something hangs. In milliseconds. */
const TIMEOUT_MS = 60_000;

/** iptables, by the scripts. */
export class ScriptFirewall implements Firewall {
  readonly #scripts: ScriptRunner;

  constructor(scripts: ScriptRunner) {
    this.#scripts = scripts;
  }

  allow(rules: readonly AllowedAddress[]): Promise<boolean> {
    return this.#run('draupnir-apply-firewall', buildWhitelistInput(rules));
  }

  blockEgress(): Promise<boolean> {
    return this.#run('draupnir-block-egress', '');
  }

  async #run(script: Script, input: string): Promise<boolean> {
    try {
      const lines = await this.#scripts.run(script, [], { input, timeoutMs: TIMEOUT_MS });
      return lines.some((line) => line.endsWith(' changed'));
    } catch (cause) {
      const hint = 'the firewall cannot be changed: ask again, and tell the operator';
      throw new DomainError('firewall_unavailable', hint, { cause });
    }
  }
}
