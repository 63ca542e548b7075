/** A frame of a stack, as Sentry names its fields (develop.sentry.dev, "Stack Trace Interface"). */
export interface Frame {
  function: string;
  filename: string;
  module: string;
  lineno?: number;
  in_app: boolean;
}

const MAX_FRAMES = 50;
/** What V8 writes between the start of a stack and the message: `TypeError: `, `Error [ERR_X]: `. */
const HEADER = /^[\w$]{1,80}(?: \[\w{1,80}\])?(?:: )?$/;
const FRAME = /^ {4}at (?:(?<function>.+) \((?<place>[^()]+)\)|(?<bare>\S+))$/;
const FUNCTION = /^[\w$.<>#[\] ]{1,120}$/;
const FILE = /^[\w@.+/:-]{1,200}$/;

/**
 * The frames of an error, oldest first. V8 puts the message before them, and a message may look like a frame.
 * So a stack must be exactly the header, the message as it is now, and frames; any other gives none.
 */
export function readFrames({ stack, message }: Error): Frame[] {
  if (typeof stack !== 'string' || typeof message !== 'string') return [];
  const start = message === '' ? stack.indexOf('\n') : stack.indexOf(message);
  if (start < 0 || !HEADER.test(stack.slice(0, start))) return [];
  const rest = stack.slice(start + message.length);
  if (!rest.startsWith('\n')) return [];
  const frames = rest.slice(1).split('\n').slice(0, MAX_FRAMES).map(readFrame);
  const found = frames.filter((frame) => frame !== undefined);
  return found.length === frames.length ? found.reverse() : [];
}

function readFrame(line: string): Frame | undefined {
  const groups = FRAME.exec(line)?.groups;
  if (!groups) return undefined;
  const { function: name = '<anonymous>', place = groups.bare ?? '' } = groups;
  const [, path = place, lineNumber] = /^(.+?):(\d+)(?::\d+)?$/.exec(place) ?? [];
  return {
    function: FUNCTION.test(name) ? name : '<unknown>',
    ...describeFile(path),
    ...(lineNumber !== undefined && { lineno: Number(lineNumber) }),
  };
}

/** Without the folder of the installation, which may hold the name of a user. */
function describeFile(path: string): Pick<Frame, 'filename' | 'module' | 'in_app'> {
  const [, dependency] = /.*\/node_modules\/(.+)$/.exec(path) ?? [];
  const [, source] = /.*\/(src\/.+)$/.exec(path) ?? [];
  const builtin = path.startsWith('node:');
  const filename = builtin ? path : (dependency ?? source ?? path.slice(path.lastIndexOf('/') + 1));
  if (!FILE.test(filename)) return { filename: '<unknown>', module: '<unknown>', in_app: false };
  const [, name = 'draupnir'] = builtin
    ? ['', 'node']
    : (/^((?:@[^/]+\/)?[^/]+)/.exec(dependency ?? '') ?? []);
  return { filename, module: name, in_app: !builtin && dependency === undefined };
}
