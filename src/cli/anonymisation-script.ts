import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { CliError } from './failure.ts';
import { describeFileFailure } from './file-failure.ts';

/** Reads an anonymisation script, `-` from stdin. Throws `CliError` when it cannot be read or is not UTF-8. */
export async function readScript(file: string): Promise<string> {
  const bytes = await readBytes(file);
  try {
    // Not fatal, the decoder would put replacement characters into someone's SQL.
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CliError(`${file} is not UTF-8`, { hint: 'convert it, for example with iconv', cause: error });
  }
}

async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return file === '-' ? await buffer(process.stdin) : await readFile(file);
  } catch (error) {
    throw describeFileFailure(error, 'read', file);
  }
}
