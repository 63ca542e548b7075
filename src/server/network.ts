import type pg from 'pg';
import type { ServerConfig } from '../config/server-config.ts';
import { AnyAddress } from '../core/addresses.ts';
import type { AllowList } from '../core/addresses.ts';
import { EgressBlock } from '../core/egress-block.ts';
import type { ErrorReporter } from '../core/error-reporter.ts';
import type { Log } from '../core/log.ts';
import type { ReadinessPart } from '../core/readiness.ts';
import { Whitelist } from '../core/whitelist.ts';
import { PgAddressStore } from '../db/address-store.ts';
import { ScriptFirewall } from '../exec/script-firewall.ts';
import type { ScriptRunner } from '../exec/script-runner.ts';
import { Loop } from '../jobs/loop.ts';

/** How often rules are looked after when the configuration does not say, in milliseconds. */
const INTERVAL_MS = 60_000;

/** Who reaches instances, and whom they reach. */
export interface NetworkParts {
  allowList: AllowList;
  /** Makes all rules right. Never throws: what fails is logged, and shown by the readiness. */
  applyRules: () => Promise<void>;
  /** Does so again and again; absent when there are no rules of ours. */
  loop?: Loop;
  readiness: ReadinessPart[];
}

/** Makes these parts. What is switched off never touches iptables. */
export function composeNetwork(
  config: ServerConfig,
  parts: {
    pool: pg.Pool;
    scripts: ScriptRunner;
    log: Log;
    reporting: { log: Log; errors: ErrorReporter | undefined };
  },
): NetworkParts {
  const { log } = parts;
  const addresses = new PgAddressStore(parts.pool);
  const firewall = new ScriptFirewall(parts.scripts);
  const whitelist = config.enableIpWhitelisting
    ? new Whitelist({
        addresses,
        firewall,
        log,
        portRange: { min: config.minInstancePort, max: config.maxInstancePort },
        ...(config.whitelistAddressTtlMs !== undefined && { addressTtlMs: config.whitelistAddressTtlMs }),
      })
    : undefined;
  const egress = config.blockInstanceEgress ? new EgressBlock(firewall, log) : undefined;
  const applyRules = async (): Promise<void> => {
    await whitelist?.apply().catch(() => undefined);
    await egress?.apply();
  };
  const loop = new Loop({
    name: 'firewall',
    intervalMs: config.whitelistReconcileIntervalMs ?? INTERVAL_MS,
    round: applyRules,
    ...parts.reporting,
  });
  return {
    allowList: whitelist ?? new AnyAddress(addresses),
    applyRules,
    ...((whitelist ?? egress) && { loop }),
    readiness: [
      ...(whitelist ? [{ name: 'firewall', look: () => Promise.resolve(whitelist.getState()) }] : []),
      { name: 'egress', look: () => Promise.resolve(egress?.getState() ?? EGRESS_OFF) },
    ],
  };
}

const EGRESS_OFF = {
  status: 'off',
  detail: 'instances can make outgoing connections: block_instance_egress is false',
} as const;
