/** Archives with members that tar(1) would not make, in the ustar format (POSIX, pax, "ustar Interchange Format"). */
export interface TarMember {
  name: string;
  /** `file` unless given; `link` is a hard link. */
  type?: keyof typeof TYPES;
  /** Where a link leads. */
  target?: string;
  content?: string;
}

const TYPES = { file: '0', link: '1', symlink: '2', character: '3', block: '4', directory: '5', fifo: '6' };
const BLOCK = 512;

/** The members, followed by nothing; an archive ends with `END_OF_TAR`. */
export function formatMembers(members: readonly TarMember[]): Buffer {
  return Buffer.concat(members.flatMap((member) => [formatHeader(member), padContent(member.content)]));
}

export const END_OF_TAR = Buffer.alloc(2 * BLOCK);

function formatHeader({ name, type = 'file', target = '', content = '' }: TarMember): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0, 100);
  header.write(`${octal(0o755, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100);
  header.write(
    `${octal(Buffer.byteLength(content), 11)}\0${octal(0, 11)}\0${' '.repeat(8)}${TYPES[type]}`,
    124,
  );
  header.write(target, 157, 100);
  header.write('ustar\x0000', 257);
  // Major and minor number of devices: /dev/loop0.
  header.write(`${octal(7, 7)}\0${octal(0, 7)}\0`, 329);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  return header;
}

function padContent(content = ''): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)]);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}
