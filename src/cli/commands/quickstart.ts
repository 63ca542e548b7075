import type { Command } from 'commander';

interface Options {
  dir?: string;
  sample: boolean;
  renumber: boolean;
  down: boolean;
}

/** Adds `draupnir quickstart`, which sets up a playground on this machine, or removes it. */
export function addQuickstartCommand(program: Command): void {
  program
    .command('quickstart')
    .description('set up a server with a sample database on this machine, to try things out')
    .option('--dir <dir>', 'directory to keep everything in')
    .option('--no-sample', 'set up the server alone, for backups of your own')
    .option('--renumber', 'give it users and ports that no other installation of this machine uses', false)
    .option('--down', 'remove everything that quickstart made', false)
    .action(async ({ dir, ...options }: Options) => {
      const { runQuickstart } = await import('../../quickstart/run-quickstart.ts');
      process.exitCode = await runQuickstart({ dir, ...options });
    });
}
