import { expect, type RunnerTestCase, type RunnerTestSuite, TestRunner } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Of a file: how many assertions its tests and hooks have executed. */
    assertions?: number;
  }
}

/**
 * Runs tests as Vitest does and counts their assertions. Vitest resets its own counter before each test, also before those that run at
 * the same time as others: it is read and emptied before that, and at the end of the file.
 */
export default class CountingRunner extends TestRunner {
  #assertions = 0;

  override onBeforeTryTask(...[test, options]: Parameters<TestRunner['onBeforeTryTask']>): void {
    this.#take(expect);
    super.onBeforeTryTask(test, options);
  }

  override onAfterTryTask(test: Parameters<TestRunner['onAfterTryTask']>[0]): void {
    super.onAfterTryTask(test);
    // A test that asks for an `expect` of its own has a counter of its own.
    if (hasOwnExpect(test.context)) this.#take(test.context.expect);
  }

  override async onAfterRunSuite(suite: RunnerTestSuite): Promise<void> {
    await super.onAfterRunSuite(suite);
    if (!('filepath' in suite)) return;
    this.#take(expect);
    suite.meta.assertions = this.#assertions;
    this.#assertions = 0;
  }

  #take(counted: RunnerTestCase['context']['expect']): void {
    this.#assertions += counted.getState().assertionCalls;
    counted.setState({ assertionCalls: 0 });
  }
}

/** Asked in this way, since to read `expect` of a context makes one. */
function hasOwnExpect(context: object): boolean {
  return '_local' in context && context._local === true;
}
