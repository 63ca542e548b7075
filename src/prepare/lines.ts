/** Longer ones are cut: what a program prints must not fill our memory. In bytes. */
const MAX_LENGTH = 65_536;

/** The lines of a stream as they come, without their ends. */
export function readLines(stream: AsyncIterable<unknown>): AsyncGenerator<string> {
  return readUntil(stream, '\n', 'utf8');
}

/** The paths that find(1) prints with -print0. They may hold any bytes, each of which becomes one character. */
export function readPaths(stream: AsyncIterable<unknown>): AsyncGenerator<string> {
  return readUntil(stream, '\0', 'latin1');
}

async function* readUntil(
  stream: AsyncIterable<unknown>,
  end: string,
  encoding: BufferEncoding,
): AsyncGenerator<string> {
  let record: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    let rest = chunk as Buffer;
    for (let at = rest.indexOf(end); at >= 0; at = rest.indexOf(end)) {
      yield append(record, rest.subarray(0, at)).toString(encoding);
      record = Buffer.alloc(0);
      rest = rest.subarray(at + 1);
    }
    record = append(record, rest);
  }
  if (record.length > 0) yield record.toString(encoding);
}

function append(record: Buffer, more: Buffer): Buffer {
  if (more.length === 0 || record.length === MAX_LENGTH) return record;
  return Buffer.concat([record, more.subarray(0, MAX_LENGTH - record.length)]);
}
