/**
 * compile-chunk.ts CODE CACHE: writes what V8 makes of a chunk of the program. It can be used by the Node alone that wrote it, on the
 * same kind of processor (https://nodejs.org/api/vm.html, `script.createCachedData`).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Script } from 'node:vm';
import { wrapChunk } from '../../src/chunk.ts';

const [code = '', cache = ''] = process.argv.slice(2);
writeFileSync(cache, new Script(wrapChunk(readFileSync(code, 'latin1'))).createCachedData());
