#!/usr/bin/env node
import { isForEval, printFalseOnFailure } from './cli/eval-failure.ts';
import { reportOutputFailures } from './cli/output-failure.ts';
import { VERSION } from './version.ts';

const args = process.argv.slice(2);
if (isForEval(args)) printFalseOnFailure();
reportOutputFailures();
// Programs ask for it before they go on: the command line itself, which takes as long to load as half of node, is not needed.
if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) process.stdout.write(`${VERSION}\n`);
// The worker of a preparation, which the scripts start: nothing of the command line is needed.
else if (args[0] === 'prepare')
  void import('./prepare/run-prepare.ts').then(({ runPrepare }) => runPrepare(args.slice(1)));
else void import('./cli/program.ts').then(({ runCommandLine }) => runCommandLine(args));
