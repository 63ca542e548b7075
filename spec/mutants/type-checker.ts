import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** Checks the types of changed files. The compiler's program is kept, so that a check takes less than a second. */
export class TypeChecker {
  readonly #root: string;
  readonly #service: ts.LanguageService;
  /** Changed texts by path, and how often each was changed. */
  readonly #changed = new Map<string, string>();
  readonly #versions = new Map<string, number>();

  constructor(root: string) {
    this.#root = root;
    const configFile = join(root, 'tsconfig.json');
    const { config } = ts.readConfigFile(configFile, (path) => readFileSync(path, 'utf8')) as {
      config: unknown;
    };
    const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, root);
    this.#service = ts.createLanguageService({
      getCompilationSettings: () => options,
      getScriptFileNames: () => fileNames,
      getScriptVersion: (path) => String(this.#versions.get(path) ?? 0),
      getScriptSnapshot: (path) => {
        const text = this.#changed.get(path) ?? ts.sys.readFile(path);
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      },
      getCurrentDirectory: () => root,
      getDefaultLibFileName: ts.getDefaultLibFilePath,
      fileExists: (path) => ts.sys.fileExists(path),
      readFile: (path) => ts.sys.readFile(path),
      directoryExists: (path) => ts.sys.directoryExists(path),
      getDirectories: (path) => ts.sys.getDirectories(path),
    });
  }

  /** Whether a file of the checkout has no errors with this text in place of its own. */
  accepts(file: string, text: string): boolean {
    const path = join(this.#root, file);
    this.#change(path, text);
    const errors = [
      ...this.#service.getSyntacticDiagnostics(path),
      ...this.#service.getSemanticDiagnostics(path),
    ];
    this.#change(path, undefined);
    return errors.length === 0;
  }

  #change(path: string, text: string | undefined): void {
    if (text === undefined) this.#changed.delete(path);
    else this.#changed.set(path, text);
    this.#versions.set(path, (this.#versions.get(path) ?? 0) + 1);
  }
}
