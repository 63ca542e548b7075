import { describe, expect, it } from 'vitest';
import { isBash, listBashMutants } from '../../mutants/bash-mutants.ts';
import { applyMutant, type Mutant } from '../../mutants/mutant.ts';
import { listTypeScriptMutants } from '../../mutants/typescript-mutants.ts';

const SCRIPT = `main() {
  # «Größe»
  if [[ -z \${1} ]]; then
    rm -f -- "\${2}"
    return 64
  fi
  ! mount || exit 1
  while ! ready; do printf 'waiting'; done
}

main "$@"
`;

const applyEach = (text: string, mutants: readonly Mutant[]): string[] =>
  mutants.map((mutant) => {
    const [before, after] = [text.split('\n'), applyMutant(text, mutant).split('\n')];
    return `${mutant.line} ${mutant.operator}: ${after.find((line, index) => line !== before[index])?.trim() ?? ''}`;
  });

describe('the mutants of a bash script', () => {
  it('change operators and conditions, leave out commands, and report success', async () => {
    expect(applyEach(SCRIPT, await listBashMutants('scripts/example', SCRIPT)).sort()).toEqual([
      '3 Condition: if ! [[ -z ${1} ]]; then',
      '3 Operator: if [[ -n ${1} ]]; then',
      '4 Command: :',
      '5 ExitCode: return 0',
      '7 Command: : || exit 1',
      '7 ExitCode: ! mount || exit 0',
      '7 Operator: ! mount && exit 1',
      "8 Command: while :; do printf 'waiting'; done",
      "8 Condition: while ready; do printf 'waiting'; done",
    ]);
  });
});

describe('bash', () => {
  it.each([
    ['#!/usr/bin/env bash\n', true],
    ['#!/bin/bash -p\n', true],
    ['# shellcheck shell=bash\n', true],
    ['#!/usr/bin/perl -w\n# not bash\n', false],
    ['# bash lists it\n', false],
  ])('is known by the first line: %j', (text, expected) => {
    expect(isBash(text)).toBe(expected);
  });
});

describe('the mutants of a TypeScript file', () => {
  it('are at their place in the text, and none changes a message', async () => {
    const text = `/** «Größe» */\nexport const isBig = (size: number): string => (size > 10 ? 'big' : 'small');\n`;
    const mutants = await listTypeScriptMutants('core', 'src/core/example.ts', text);
    expect(applyEach(text, mutants)).toContain(
      "2 EqualityOperator: export const isBig = (size: number): string => (size >= 10 ? 'big' : 'small');",
    );
    expect(mutants.map(({ operator }) => operator)).not.toContain('StringLiteral');
  });
});
