import { BREACH } from './attacker.ts';

const BASE = 0x40_0000;
/** Of an ELF header and one program header (elf(5)). */
const HEADERS = 0x78;

/** Asks for the process id as a program of i386 would, then, as one of x86-64, prints a text and ends. */
function assemble(text: Buffer): Buffer {
  const address = Buffer.alloc(4);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  const code = (): Buffer =>
    Buffer.concat([
      // mov eax, 20 (getpid of i386); int 0x80
      Buffer.from('b814000000cd80', 'hex'),
      // mov eax, 1 (write of x86-64); mov edi, 1; mov esi, address; mov edx, length; syscall
      Buffer.from('b801000000bf01000000be', 'hex'),
      address,
      Buffer.from('ba', 'hex'),
      length,
      Buffer.from('0f05', 'hex'),
      // mov eax, 60 (exit); xor edi, edi; syscall
      Buffer.from('b83c00000031ff0f05', 'hex'),
    ]);
  address.writeUInt32LE(BASE + HEADERS + code().length);
  return Buffer.concat([code(), text]);
}

/** An executable of x86-64 that makes a system call of i386 and prints BREACH if it goes on after that. */
function buildInt80(): Buffer {
  const body = assemble(Buffer.from(`${BREACH}\n`));
  const headers = Buffer.alloc(HEADERS);
  // 64 bits, little endian; ET_EXEC, EM_X86_64, EV_CURRENT
  headers.write('7f454c46020101', 'hex');
  headers.writeUInt16LE(2, 0x10);
  headers.writeUInt16LE(62, 0x12);
  headers.writeUInt32LE(1, 0x14);
  headers.writeBigUInt64LE(BigInt(BASE + HEADERS), 0x18);
  // The program header: where it is, size of both, how many.
  headers.writeBigUInt64LE(64n, 0x20);
  headers.writeUInt16LE(64, 0x34);
  headers.writeUInt16LE(56, 0x36);
  headers.writeUInt16LE(1, 0x38);
  // PT_LOAD, readable and executable; address, size in the file and in memory, alignment.
  headers.writeUInt32LE(1, 0x40);
  headers.writeUInt32LE(5, 0x44);
  headers.writeBigUInt64LE(BigInt(BASE), 0x50);
  headers.writeBigUInt64LE(BigInt(HEADERS + body.length), 0x60);
  headers.writeBigUInt64LE(BigInt(HEADERS + body.length), 0x68);
  headers.writeBigUInt64LE(0x1000n, 0x70);
  return Buffer.concat([headers, body]);
}

/** A bash script that runs the program from a memfd, as instances cannot execute files; prints the status. */
export function formatInt80(): string {
  // memfd_create of x86-64; the descriptor stays open for the program.
  return `perl -e 'my ($name, $code) = ("attack", pack("H*", shift));
    my $fd = syscall(319, $name, 0); open(my $file, ">&=", $fd); syswrite($file, $code);
    exec("/proc/self/fd/$fd")' ${buildInt80().toString('hex')}
  echo "status $?"`;
}
