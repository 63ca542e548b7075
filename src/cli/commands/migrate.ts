import type { Command } from 'commander';
import { DEFAULT_CONFIG_FILE } from './server.ts';

/** Adds `draupnir migrate`, which brings the server's database up to date. */
export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description("bring the server's database up to date")
    .option('--config <file>', 'configuration of the server', DEFAULT_CONFIG_FILE)
    .action(async ({ config: configFile }: { config: string }) => {
      const { runMigrate } = await import('../../server/run-migrate.ts');
      process.exitCode = await runMigrate({ configFile });
    });
}
