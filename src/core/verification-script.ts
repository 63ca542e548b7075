import { DomainError } from './errors.ts';

/** A query that must return no row. */
export interface VerificationQuery {
  /** Where it begins in the script, from 1. */
  readonly line: number;
  /** Database it is asked in. */
  readonly database: string;
  readonly text: string;
}

/** Where a script begins, like an anonymisation script. */
const FIRST_DATABASE = 'postgres';

/** What can be asked through a cursor (PostgreSQL manual, DECLARE). */
const QUERY = /^(\(|(SELECT|WITH|VALUES|TABLE)(?![\w$]))/i;

/** psql's \c with a database and nothing else; quoted names double their quotes. */
const CONNECT =
  /^\\(?:c|connect)[ \t]+("(?:[^"]|"")+"|'(?:[^']|'')+'|[\w.@$][\w.@$-]*)[ \t]*;?[ \t]*(?=\r?\n|$)/;

/** Parts of SQL inside which a semicolon or a backslash means nothing (PostgreSQL manual, 4.1), and where they end. */
const ENCLOSED: readonly { opens: RegExp; name: string }[] = [
  { opens: /(?<![\w$\x80-\uffff])[eE]'(?:[^'\\]|\\[^]|'')*('|$)/y, name: "a quote (E'…)" },
  { opens: /'[^']*('|$)/y, name: 'a quote' },
  { opens: /"[^"]*("|$)/y, name: 'a quoted name' },
  { opens: /--[^\n]*()/y, name: '' },
  {
    opens: /(?<![\w$\x80-\uffff])(\$(?:[A-Za-z_\x80-\uffff][\w\x80-\uffff]*)?\$)[^]*?(\1|$)/y,
    name: 'a dollar quote',
  },
];

/**
 * Takes a verification script apart: queries that end in semicolons, comments, and lines `\c DATABASE`. Throws
 * `invalid_script`, naming the line, when there is anything else: what psql would do about it is nothing to rely on.
 */
export function parseVerificationScript(script: string): VerificationQuery[] {
  const queries: VerificationQuery[] = [];
  let database = FIRST_DATABASE;
  let start: number | undefined;
  let end = 0;
  let at = 0;
  const finish = (): void => {
    if (start === undefined) return;
    const text = script.slice(start, end);
    const line = lineOf(script, start);
    if (!QUERY.test(text)) throw invalid(line, 'is no query: write SELECT, WITH, VALUES or TABLE');
    queries.push({ line, database, text });
    start = undefined;
  };

  while (at < script.length) {
    const char = script.charAt(at);
    const next = skipEnclosed(script, at);
    if (char === ';') {
      finish();
      at += 1;
    } else if (char === '\\') {
      const [whole, name] = CONNECT.exec(script.slice(at)) ?? [];
      if (whole === undefined || name === undefined || start !== undefined) {
        throw invalid(
          lineOf(script, at),
          'has a backslash: the one command there is, is \\c DATABASE on its own',
        );
      }
      database = unquote(name);
      at += whole.length;
    } else {
      const silent = /\s/.test(char) || script.startsWith('--', at) || script.startsWith('/*', at);
      if (!silent) start ??= at;
      at = next;
      if (!silent) end = at;
    }
  }
  finish();
  if (queries.length === 0 && script.trim() !== '') throw invalid(1, 'and all after it hold no query');
  return queries;
}

/** The end of what begins here: a quote or comment as a whole, or one character. Throws when a quote has no end. */
function skipEnclosed(script: string, at: number): number {
  if (script.startsWith('/*', at)) return skipComment(script, at);
  for (const { opens, name } of ENCLOSED) {
    opens.lastIndex = at;
    const match = opens.exec(script);
    if (!match) continue;
    if (name !== '' && match.at(-1) === '')
      throw invalid(lineOf(script, at), `begins ${name} that has no end`);
    return opens.lastIndex;
  }
  return at + 1;
}

/** Comments nest (PostgreSQL manual, 4.1.5). */
function skipComment(script: string, at: number): number {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = at;
  let depth = 0;
  for (let mark = marks.exec(script); mark; mark = marks.exec(script)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return marks.lastIndex;
  }
  throw invalid(lineOf(script, at), 'begins a comment that has no end');
}

function unquote(name: string): string {
  const quote = name.charAt(0);
  if (quote !== '"' && quote !== "'") return name;
  return name.slice(1, -1).replaceAll(quote + quote, quote);
}

function lineOf(script: string, at: number): number {
  return script.slice(0, at).split('\n').length;
}

function invalid(line: number, what: string): DomainError {
  return new DomainError('invalid_script', `verification_script: line ${line} ${what}`);
}
