import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import { addAuditCommand } from './commands/audit.ts';
import { addAuthenticateCommand } from './commands/authenticate.ts';
import { addConfigCommands } from './commands/config.ts';
import { addDoctorCommand } from './commands/doctor.ts';
import { addEnvCommand } from './commands/env.ts';
import { addImagesCommands } from './commands/images.ts';
import { addInstancesCommands } from './commands/instances.ts';
import { addMigrateCommand } from './commands/migrate.ts';
import { addNewCommand } from './commands/new.ts';
import { addQuickstartCommand } from './commands/quickstart.ts';
import { addServerCommand } from './commands/server.ts';
import { isForEval } from './eval-failure.ts';
import { EXIT_USAGE } from './failure.ts';
import { exitOnSignals } from './interruption.ts';
import { reportFailure } from './output.ts';

const QUICK_START = `
Quick start:
  draupnir authenticate                sign in with Google, once
  eval "$(draupnir new)" && psql       create an instance, point this shell at it, and use it

  When draupnir new or draupnir env fails, eval fails, and what follows && does not run.
  fish: eval (draupnir new); and psql

Environment:
  DRAUPNIR_SETTINGS                    settings file to use instead of ~/.draupnir
  NODE_EXTRA_CA_CERTS                  file of further certificate authorities to trust
  HTTPS_PROXY, HTTP_PROXY              proxy to the server, such as http://proxy.example.com:3128
  NO_PROXY                             hosts to connect to without it, such as localhost,.example.com
`;

/** Runs one command line, given without the program's own name, and sets the exit code of the process. */
export async function runCommandLine(args: string[]): Promise<void> {
  // A signal by itself would end the process without a word on stdout.
  if (isForEval(args)) exitOnSignals();
  const program = buildProgram();
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = error instanceof CommanderError ? getUsageExitCode(error) : reportFailure(error);
  }
}

function buildProgram(): Command {
  const program = new Command('draupnir')
    .description('Private, writable copies of a production Postgres database, on demand')
    .version(VERSION)
    .option('--insecure', 'talk plain HTTP to the server')
    .option('--skip-verify', "talk HTTPS without checking the server's certificate")
    .addHelpText('after', QUICK_START)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('hint: add --help to see what can be given')
    // Subcommands inherit this: throw instead of ending the process.
    .exitOverride();
  addAuthenticateCommand(program);
  addNewCommand(program);
  addEnvCommand(program);
  addInstancesCommands(program);
  addImagesCommands(program);
  addConfigCommands(program);
  addServerCommand(program);
  addMigrateCommand(program);
  addAuditCommand(program);
  addDoctorCommand(program);
  addQuickstartCommand(program);
  return program;
}

/** Commander has written its message by now; help and version were what was asked for, the rest is wrong usage. */
function getUsageExitCode(error: CommanderError): number {
  return error.exitCode === 0 ? 0 : EXIT_USAGE;
}
