import type { Command } from 'commander';

/** Adds `draupnir quickstart`, which sets up a playground on this machine, or removes it. */
export function addQuickstartCommand(program: Command): void {
  program
    .command('quickstart')
    .description('set up a server with a sample database on this machine, to try things out')
    .option('--dir <dir>', 'directory to keep everything in')
    .option('--down', 'remove everything that quickstart made', false)
    .action(async ({ dir, down }: { dir?: string; down: boolean }) => {
      const { runQuickstart } = await import('../../quickstart/run-quickstart.ts');
      process.exitCode = await runQuickstart({ dir, down });
    });
}
