import { relative } from 'node:path';
import type { Reporter, TestCase } from 'vitest/node';
import { sumUp, type TestFigures, writeFigures } from './figures.ts';

/** Writes what a run of the fault tests has seen into the file DRAUPNIR_FAULTS_FIGURES. */
export default class FaultReporter implements Reporter {
  readonly #tests: TestFigures[] = [];

  onTestCaseResult(test: TestCase): void {
    const file = relative('spec/e2e', test.module.relativeModuleId).replace(/\.spec\.ts$/, '');
    this.#tests.push({ file, passed: test.result().state === 'passed', figures: test.meta().faults });
  }

  async onTestRunEnd(): Promise<void> {
    const { DRAUPNIR_FAULTS_FIGURES: file } = process.env;
    if (file === undefined) throw new Error('DRAUPNIR_FAULTS_FIGURES is not set: run make faults');
    await writeFigures(file, sumUp(this.#tests));
  }
}
