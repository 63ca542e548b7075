import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const LIBRARY = join(import.meta.dirname, '../../../scripts/lib');

export type Machine = 'x86_64' | 'aarch64';

/** linux/audit.h */
export const AUDIT_ARCH = { x86_64: 0xc000003e, i386: 0x40000003, aarch64: 0xc00000b7, arm: 0x40000028 };

/** struct sock_filter (linux/filter.h) */
interface Instruction {
  readonly code: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
  readonly value: number;
}

/** A filter of system calls as lib/seccomp.pl builds it, and what the kernel makes of it. */
export class SeccompProgram {
  readonly #instructions: Instruction[];

  private constructor(bytes: Buffer) {
    this.#instructions = Array.from({ length: bytes.length / 8 }, (_, i) => ({
      code: bytes.readUInt16LE(8 * i),
      ifTrue: bytes.readUInt8(8 * i + 2),
      ifFalse: bytes.readUInt8(8 * i + 3),
      value: bytes.readUInt32LE(8 * i + 4),
    }));
  }

  /** Lets Perl build it. */
  static build(machine: Machine, options: { privateUdp?: boolean } = {}): SeccompProgram {
    const program = `sub fail { die @_ } require "${LIBRARY}/seccomp.pl"; binmode(STDOUT);
      load_system_calls("${machine}"); print build_filter(${options.privateUdp ? 1 : 0})`;
    return new SeccompProgram(execFileSync('perl', ['-we', program]));
  }

  /** What comes of a call: `allowed`, `killed`, or the errno it fails with. */
  judge(arch: number, number: number, args: readonly number[] = []): 'allowed' | 'killed' | number {
    // struct seccomp_data (linux/seccomp.h); the upper halves of arguments are no business of the filter.
    const data = new Map([
      [0, number],
      [4, arch],
      ...Array.from({ length: 6 }, (_, i): [number, number] => [16 + 8 * i, (args[i] ?? 0) >>> 0]),
    ]);
    let loaded = 0;
    for (let at = 0; ; at++) {
      const instruction = this.#instructions[at];
      if (!instruction) throw new Error(`the program goes beyond its end, to ${at}`);
      const { code, ifTrue, ifFalse, value } = instruction;
      const jump = (condition: boolean): number => (condition ? ifTrue : ifFalse);
      if (code === 0x20) loaded = getWord(data, value);
      else if (code === 0x54) loaded = (loaded & value) >>> 0;
      else if (code === 0x15) at += jump(loaded === value);
      else if (code === 0x35) at += jump(loaded >= value);
      else if (code === 0x45) at += jump((loaded & value) !== 0);
      else if (code === 0x06) return name(value);
      else throw new Error(`no instruction that the filter needs: ${code}`);
    }
  }
}

function getWord(data: ReadonlyMap<number, number>, offset: number): number {
  const word = data.get(offset);
  if (word === undefined) throw new Error(`nothing that the filter may look at: offset ${offset}`);
  return word;
}

/** SECCOMP_RET_ALLOW, SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_ERRNO. */
function name(value: number): 'allowed' | 'killed' | number {
  if (value === 0x7fff0000) return 'allowed';
  if (value === 0x80000000) return 'killed';
  if (value >>> 16 === 5) return value & 0xffff;
  throw new Error(`no outcome that the filter should have: ${value}`);
}
