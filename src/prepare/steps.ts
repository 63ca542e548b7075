import type { Preparation } from './preparation.ts';

/** The steps that users see, each with the methods that it consists of, in their order. */
export const STEPS = [
  ['unpack', ['unpack']],
  ['recover', ['recover', 'createAdmin']],
  ['prepare', ['prepareDatabases']],
  ['anonymise', ['anonymise', 'refreshViews']],
  ['verify', ['verify']],
  ['own', ['own']],
  ['scrub', ['scrub', 'analyse', 'endScrub']],
  ['snapshot', ['stop', 'sweep']],
] as const satisfies readonly (readonly [string, readonly (keyof Preparation)[]])[];

/** Takes all steps; `onStep` is called as each begins, with its name and `NUMBER/COUNT`. */
export async function takeSteps(
  preparation: Pick<Preparation, (typeof STEPS)[number][1][number]>,
  onStep: (name: string, number: string) => void,
): Promise<void> {
  for (const [index, [name, methods]] of STEPS.entries()) {
    onStep(name, `${index + 1}/${STEPS.length}`);
    for (const method of methods) await preparation[method]();
  }
}
