import type { Command } from 'commander';
import { DEFAULT_CONFIG_FILE } from './server.ts';

/** Adds `draupnir doctor`, which compares records, disk, processes, ports and firewall of a server. */
export function addDoctorCommand(program: Command): void {
  program
    .command('doctor')
    .description(
      "check that a server's records, disk, processes and ports agree; as root or the server's user",
    )
    .option('--json', 'print one JSON document', false)
    .option('--fix', 'repair what is safe to repair', false)
    .option('--config <file>', 'configuration of the server', DEFAULT_CONFIG_FILE)
    .action(async ({ config: configFile, json, fix }: { config: string; json: boolean; fix: boolean }) => {
      const { runDoctor } = await import('../../server/run-doctor.ts');
      process.exitCode = await runDoctor({ configFile, json, fix });
    });
}
