import type { Command } from 'commander';
import { DEFAULT_CONFIG_FILE } from './server.ts';

interface Options {
  config: string;
  since?: string;
  user?: string;
  json?: boolean;
}

/** Adds `draupnir audit`, which shows who did what on the server. */
export function addAuditCommand(program: Command): void {
  program
    .command('audit')
    .description("show the server's audit log: who attempted what, and what came of it")
    .option('--config <file>', 'configuration of the server', DEFAULT_CONFIG_FILE)
    .option('--since <when>', 'only what is as new as that: a duration such as 24h, or a time of ISO 8601')
    .option('--user <user>', 'only what this user did, or what was done to what is theirs')
    .option('--json', 'write JSON lines, as they are in the file')
    .action(showAudit);
}

async function showAudit(options: Options, command: Command): Promise<void> {
  const { config: configFile, since: when, user, json = false } = options;
  const { parseSince } = await import('../since.ts');
  const since = when === undefined ? undefined : parseSince(when, new Date());
  if (when !== undefined && since === undefined) {
    command.error('error: --since takes a duration such as 24h, or a time such as 2026-05-01T12:00:00Z');
  }
  const { runAudit } = await import('../../server/run-audit.ts');
  const filter = { ...(since && { since }), ...(user !== undefined && { user }) };
  process.exitCode = await runAudit({ configFile, filter, json });
}
