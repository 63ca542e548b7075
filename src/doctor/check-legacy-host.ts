import type { Finding } from './finding.ts';

/** What Draupnir 5.3 has left on the host beside the data. */
export interface LegacyHostFacts {
  /** Programs that the server's user may run as root by rules of 5.3. */
  readonly legacyRules: readonly string[];
  /** This program, and another one of its name that shells find first. */
  readonly shadow: { readonly program: string; readonly by: string } | undefined;
}

/** Its client and server were in /usr/local/bin, and its sudo rules allowed any arguments. */
export function* checkLegacyHost({ legacyRules, shadow }: LegacyHostFacts): Generator<Finding> {
  if (shadow) {
    yield {
      invariant: 'installation',
      object: `program ${shadow.by}`,
      message: `hides ${shadow.program}: shells find it first`,
      hint: `remove it if it is that of Draupnir 5.3: ${shadow.by} --version`,
    };
  }
  for (const command of legacyRules) {
    yield {
      invariant: 'installation',
      object: `program ${command}`,
      message: "sudo lets the server's user run it as root with any arguments",
      hint: 'it is a rule of Draupnir 5.3: remove it from /etc/sudoers and /etc/sudoers.d',
    };
  }
}
