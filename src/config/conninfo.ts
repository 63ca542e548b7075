import { ConninfoError } from './conninfo-error.ts';
import { parseConninfoUri } from './conninfo-uri.ts';

/**
 * Splits a libpq connection string, keyword/value or URI, into its settings, as libpq does (manual, "Connection
 * Strings"; conninfo_parse in fe-connect.c). A repeated keyword: the last one counts. Throws `ConninfoError`.
 */
export function parseConninfo(text: string): Map<string, string> {
  return /^postgres(?:ql)?:\/\//.test(text) ? parseConninfoUri(text) : parseKeywords(text);
}

/** C's isspace. */
const SPACE = ' \t\n\v\f\r';

function parseKeywords(text: string): Map<string, string> {
  const settings = new Map<string, string>();
  let at = 0;

  const skipSpace = () => {
    while (at < text.length && SPACE.includes(text.charAt(at))) at += 1;
  };
  const fail = (message: string, offset: number): never => {
    throw new ConninfoError(`${message} at character ${offset + 1}`);
  };

  const readKeyword = (): string => {
    const start = at;
    while (at < text.length && text[at] !== '=' && !SPACE.includes(text.charAt(at))) at += 1;
    const keyword = text.slice(start, at);
    skipSpace();
    if (text[at] !== '=' || keyword === '') {
      fail(
        'must be pairs such as host=/run/postgresql, with values that hold spaces in single quotes; no pair',
        start,
      );
    }
    at += 1;
    return keyword;
  };

  // A quote is special only at the start of a value; a backslash takes the next character as it is, anywhere.
  const readValue = (): string => {
    const start = at;
    const quoted = text[at] === "'";
    if (quoted) at += 1;
    let value = '';
    for (; at < text.length; at += 1) {
      if (quoted ? text[at] === "'" : SPACE.includes(text.charAt(at))) break;
      if (text[at] === '\\') at += 1;
      value += text.charAt(at);
    }
    if (quoted) {
      if (at >= text.length) fail('must close the single quote that opens', start);
      at += 1;
    }
    return value;
  };

  skipSpace();
  while (at < text.length) {
    const keyword = readKeyword();
    skipSpace();
    settings.set(keyword, readValue());
    skipSpace();
  }
  return settings;
}
