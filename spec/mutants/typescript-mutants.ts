import { Instrumenter } from '@stryker-mutator/instrumenter';
import type { Area, Mutant } from './mutant.ts';

/**
 * Mutators of Stryker that are not used. A changed text is mostly a message, and texts are compared with the documentation by other
 * tests. (https://stryker-mutator.io/docs/mutation-testing-elements/supported-mutators)
 */
const EXCLUDED = ['StringLiteral'];

const OPTIONS = { plugins: null, excludedMutations: EXCLUDED, ignorers: [], noHeader: true };

const QUIET = {
  isTraceEnabled: () => false,
  isDebugEnabled: () => false,
  isInfoEnabled: () => false,
  isWarnEnabled: () => false,
  isErrorEnabled: () => false,
  isFatalEnabled: () => false,
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  fatal: () => undefined,
};

/** Lists the changes that Stryker's mutators make to a TypeScript file. */
export async function listTypeScriptMutants(area: Area, file: string, text: string): Promise<Mutant[]> {
  const instrumenter = new Instrumenter(QUIET);
  const { mutants } = await instrumenter.instrument([{ name: file, mutate: true, content: text }], OPTIONS);
  const lineStarts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
  const getOffset = ({ line, column }: { line: number; column: number }): number =>
    (lineStarts[line] ?? 0) + column;
  const wanted = mutants.filter(({ status }) => status !== 'Ignored');
  return wanted.map(({ location, mutatorName, replacement }) => ({
    area,
    file,
    line: location.start.line + 1,
    operator: mutatorName,
    start: getOffset(location.start),
    end: getOffset(location.end),
    replacement,
  }));
}
