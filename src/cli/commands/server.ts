import type { Command } from 'commander';

/** Where the server's configuration is unless `--config` says otherwise (contract: command line). */
export const DEFAULT_CONFIG_FILE = '/etc/draupnir/config.toml';

/** Adds `draupnir server`, which runs until it is told to stop. */
export function addServerCommand(program: Command): void {
  program
    .command('server')
    .description('run the API server')
    .option('--config <file>', 'configuration of the server', DEFAULT_CONFIG_FILE)
    .action(async ({ config: configFile }: { config: string }) => {
      const { runServer } = await import('../../server/run-server.ts');
      process.exitCode = await runServer({ configFile });
    });
}
