import { getNearestKey } from './nearest-key.ts';
import type { Problem } from './problem.ts';
import { isTomlTable } from './toml-file.ts';
import type { TomlTable } from './toml-file.ts';
import type { ValueKind } from './value-kind.ts';

/** What the tables of one file have found out together. */
interface Findings {
  file: string;
  problems: Problem[];
  warnings: Problem[];
  /** TOML paths of all keys that were asked for. */
  known: Set<string>;
}

/**
 * Reads one table of a configuration file key by key, collecting problems instead of stopping at the first. Key names
 * match in any case, as in the TOML library of 5.3.x.
 */
export class ConfigTable {
  readonly #table: TomlTable;
  readonly #path: string;
  readonly #findings: Findings;
  readonly #used = new Set<string>();
  readonly #children: ConfigTable[] = [];

  constructor(table: TomlTable, findings: Findings, path = '') {
    this.#table = table;
    this.#findings = findings;
    this.#path = path;
  }

  /** The table under `key`; an empty one when it is missing, so that all its required keys are reported. */
  table(key: string): ConfigTable {
    const value = this.#find(key);
    if (value !== undefined && !isTomlTable(value)) this.report(key, `must be a table: [${key}]`, value);
    const child = new ConfigTable(isTomlTable(value) ? value : {}, this.#findings, `${this.#getPath(key)}.`);
    this.#children.push(child);
    return child;
  }

  /** Whether the key is there and not empty. */
  has(key: string): boolean {
    const value = this.#find(key);
    return value !== undefined && value !== '';
  }

  /** The value of an optional key; undefined when it is absent, empty or wrong. */
  optional<T>(key: string, kind: ValueKind<T>): T | undefined {
    if (!this.has(key)) return undefined;
    const value = this.#find(key);
    const reading = kind.read(value);
    if ('problems' in reading) {
      for (const problem of reading.problems)
        this.report(key, problem, kind.secret === true ? undefined : value);
      return undefined;
    }
    if (reading.warning !== undefined) this.warn(key, reading.warning, value);
    return reading.value;
  }

  /**
   * The value of a required key. When it is missing, empty (also 0) or wrong, that is reported and what is returned must
   * not be used: the caller throws everything away once there is a problem.
   */
  required<T>(key: string, kind: ValueKind<T>): T {
    if (!this.has(key) || this.#find(key) === 0) this.report(key, `is missing: ${kind.expected}`);
    else {
      const read = this.optional(key, kind);
      if (read !== undefined) return read;
    }
    return undefined as unknown as T;
  }

  /** Adds a problem with one of this table's keys. */
  report(key: string, message: string, found?: unknown): void {
    this.#findings.problems.push(this.#describe(key, message, found));
  }

  /** Adds a warning about one of this table's keys. */
  warn(key: string, message: string, found?: unknown): void {
    this.#findings.warnings.push(this.#describe(key, message, found));
  }

  /** Warns of every key, here and in the tables below, that was not asked for. To be called last, on the root. */
  warnUnknown(): void {
    for (const key of Object.keys(this.#table).filter((name) => !this.#used.has(name))) {
      this.warn(key, `unknown key, ignored; ${this.#suggest(key)}`);
    }
    for (const child of this.#children) child.warnUnknown();
  }

  #suggest(key: string): string {
    const known = [...this.#findings.known];
    const elsewhere = known.find((path) => path.split('.').at(-1) === key.toLowerCase());
    // In TOML a key belongs to the section header above it: a common slip, and the names are right then.
    if (elsewhere !== undefined) {
      const section = elsewhere.split('.').slice(0, -1).join('.');
      return section === ''
        ? `"${key}" belongs above the first [section]`
        : `"${key}" belongs below [${section}]`;
    }
    return `the nearest known key is "${getNearestKey(this.#getPath(key), known)}"`;
  }

  #find(key: string): unknown {
    this.#findings.known.add(this.#getPath(key));
    const names = Object.keys(this.#table);
    const name =
      names.find((candidate) => candidate === key) ??
      names.find((candidate) => candidate.toLowerCase() === key);
    if (name === undefined) return undefined;
    this.#used.add(name);
    return this.#table[name];
  }

  #getPath(key: string): string {
    return this.#path + key;
  }

  #describe(key: string, message: string, found?: unknown): Problem {
    const problem = { file: this.#findings.file, path: this.#getPath(key), message };
    return found === undefined ? problem : { ...problem, found: formatValue(found) };
  }
}

/** A value as TOML would write it, cut to a line's length. */
function formatValue(value: unknown): string {
  if (value instanceof Date) return 'a date';
  if (isTomlTable(value)) return 'a table';
  const text = typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
