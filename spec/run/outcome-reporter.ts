import type { Reporter, TestModule } from 'vitest/node';
import type { FileOutcome } from './job.ts';

/** Collects what the runner wants to know of each file. */
export class OutcomeReporter implements Reporter {
  #files: FileOutcome[] = [];

  onTestModuleEnd(module: TestModule): void {
    const { prepareDuration, environmentSetupDuration, setupDuration, collectDuration, duration } =
      module.diagnostic();
    const tests = [...module.children.allTests()].map((test) => {
      const { state } = test.result();
      return {
        name: test.fullName,
        state: state === 'pending' ? ('skipped' as const) : state,
        faults: test.meta().faults,
      };
    });
    this.#files.push({
      file: module.relativeModuleId,
      project: module.project.name,
      passed: module.ok(),
      durationMs: prepareDuration + environmentSetupDuration + setupDuration + collectDuration + duration,
      assertions: module.meta().assertions ?? 0,
      tests,
    });
  }

  /** The outcomes since the last call. */
  take(): FileOutcome[] {
    const files = this.#files;
    this.#files = [];
    return files;
  }
}
