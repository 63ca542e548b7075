import { execa } from 'execa';
import type { Mutant } from './mutant.ts';

/** A node of the syntax tree that `shfmt --to-json` prints (shfmt(1)). Offsets count bytes. */
interface Node {
  Type?: string;
  Pos?: Place;
  End?: Place;
  OpPos?: Place;
  Negated?: boolean;
  Cmd?: Node;
  Cond?: Node[];
  Args?: Node[];
  Redirs?: { Hdoc?: Node }[];
}

interface Place {
  /** Absent at the beginning of a file. */
  Offset?: number;
  Line: number;
}

interface Change {
  operator: string;
  start: number;
  end: number;
  replacement: string;
}

/** What each operator of lists, tests and arithmetic becomes. */
const OPPOSITES: Readonly<Record<string, string>> = {
  '&&': '||',
  '||': '&&',
  '==': '!=',
  '!=': '==',
  '-eq': '-ne',
  '-ne': '-eq',
  '-lt': '-ge',
  '-ge': '-lt',
  '-gt': '-le',
  '-le': '-gt',
  '-z': '-n',
  '-n': '-z',
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '+': '-',
  '-': '+',
};

const OPERATOR = /^(?:&&|\|\||[=!<>]=|-[a-z]{1,2}|[<>+-])(?=\s|\w|\$)/;

/** Commands whose absence is no fault that a test could see: they report, or set what holds for the whole script. */
const KEPT = [
  'printf',
  'echo',
  'set',
  'shopt',
  'umask',
  'main',
  'return',
  'exit',
  ':',
  'true',
  'source',
  '.',
];

/** Whether the first line says that a text is bash: `#!` of a program, or the directive of shellcheck in a library. */
export function isBash(text: string): boolean {
  return /^#!.*\bbash\b|^# shellcheck shell=bash$/m.test(text.slice(0, text.indexOf('\n')));
}

/** Lists single changes to a bash script: operators, conditions, commands that are left out, failures that are not reported. */
export async function listBashMutants(file: string, text: string): Promise<Mutant[]> {
  const { stdout } = await execa('shfmt', ['--to-json', '-ln', 'bash'], { input: text });
  const bytes = Buffer.from(text);
  const changes = [...walk(JSON.parse(stdout) as unknown)].flatMap((node) => listChanges(node, bytes));
  const toIndex = (offset: number): number => bytes.subarray(0, offset).toString().length;
  return changes.map(({ operator, start, end, replacement }) => ({
    area: 'scripts',
    file,
    line: bytes.subarray(0, start).toString().split('\n').length,
    operator,
    start: toIndex(start),
    end: toIndex(end),
    replacement,
  }));
}

function* walk(value: unknown): Generator<Node> {
  if (typeof value !== 'object' || value === null) return;
  if (!Array.isArray(value)) yield value;
  for (const child of Object.values(value)) yield* walk(child);
}

function listChanges(node: Node, bytes: Buffer): Change[] {
  return [
    ...changeOperator(node, bytes),
    ...negateCondition(node),
    ...leaveOutCommand(node, bytes),
    ...reportSuccess(node, bytes),
  ];
}

function changeOperator({ Type: type, OpPos: place }: Node, bytes: Buffer): Change[] {
  if (place === undefined || !/^(?:BinaryCmd|BinaryTest|UnaryTest|BinaryArithm)$/.test(type ?? '')) return [];
  const start = getOffset(place);
  const [found] = OPERATOR.exec(bytes.toString('utf8', start, start + 8)) ?? [];
  const replacement = OPPOSITES[found ?? ''];
  if (found === undefined || replacement === undefined) return [];
  return [{ operator: 'Operator', start, end: start + found.length, replacement }];
}

function negateCondition({ Type: type, Cond: conditions }: Node): Change[] {
  const last = Array.isArray(conditions) ? conditions.at(-1) : undefined;
  if (last?.Pos === undefined || !/^(?:IfClause|WhileClause)$/.test(type ?? '')) return [];
  const start = getOffset(last.Pos);
  if (last.Negated === true) return [{ operator: 'Condition', start, end: start + 2, replacement: '' }];
  return [{ operator: 'Condition', start, end: start, replacement: '! ' }];
}

/** Of statements alone: a command of a list is dealt with by the list's operator. */
function leaveOutCommand({ Cmd: command, Pos: place, Redirs: redirections }: Node, bytes: Buffer): Change[] {
  const [first] = command?.Args ?? [];
  if (command?.Type !== 'CallExpr' || place === undefined || first === undefined) return [];
  if (redirections?.some(({ Hdoc: text }) => text !== undefined) === true) return [];
  if (KEPT.includes(getText(first, bytes))) return [];
  return [{ operator: 'Command', start: getOffset(place), end: getOffset(command.End), replacement: ':' }];
}

function reportSuccess({ Type: type, Args: args }: Node, bytes: Buffer): Change[] {
  const [name, code] = args ?? [];
  if (type !== 'CallExpr' || name === undefined || code === undefined) return [];
  if (!/^(?:return|exit)$/.test(getText(name, bytes)) || !/^[1-9]\d*$/.test(getText(code, bytes))) return [];
  return [{ operator: 'ExitCode', start: getOffset(code.Pos), end: getOffset(code.End), replacement: '0' }];
}

function getText({ Pos: start, End: end }: Node, bytes: Buffer): string {
  return bytes.toString('utf8', getOffset(start), getOffset(end));
}

function getOffset(place: Place | undefined): number {
  return place?.Offset ?? 0;
}
