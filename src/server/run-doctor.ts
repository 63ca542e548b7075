import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { readKeyFile } from '../auth/key-file.ts';
import { SealedBox } from '../auth/sealed-box.ts';
import { loadServerConfig } from '../config/load-server-config.ts';
import { listAddresses } from '../config/read-http.ts';
import { ConfigError } from '../config/problem.ts';
import type { ServerConfig } from '../config/server-config.ts';
import { openCredentials } from '../core/sealed-credentials.ts';
import { listPendingMigrations } from '../db/migrate.ts';
import { PgRecordReader } from '../db/record-reader.ts';
import { checkInstallation } from '../doctor/check-installation.ts';
import { checkOtherInstallations, sharesUsers } from '../doctor/check-other-installations.ts';
import { examine, type ExaminationParts, type Examined, PATIENT_LOOKS_MS } from '../doctor/examination.ts';
import type { Checked, Finding } from '../doctor/finding.ts';
import { mark, type Repairer, treat, type Treated } from '../doctor/repair.ts';
import { readAllocation } from '../exec/btrfs-allocation.ts';
import { PgInstanceProber } from '../exec/instance-prober.ts';
import { ScriptError } from '../exec/script-error.ts';
import { PgInstanceProof } from '../exec/instance-proof.ts';
import { ScriptInspector } from '../exec/script-inspector.ts';
import { ScriptRepairer } from '../exec/script-repairer.ts';
import { ScriptInstanceStorage } from '../exec/script-instance-storage.ts';
import { ScriptRunner } from '../exec/script-runner.ts';
import { findShadow, listLegacyRules } from '../exec/legacy-programs.ts';
import { listScriptsWithoutRule } from '../exec/sudo-rules.ts';
import { createDatabaseConfig, listMigrations } from './database.ts';
import { formatReport, formatReportAsJson } from './doctor-report.ts';
import { checkHostConf } from './host-conf.ts';
import { findOtherInstallations } from './other-installations.ts';
import { becomeServerUser } from './server-user.ts';
import { reportStartFailure } from './start-failure.ts';

export interface DoctorOptions {
  configFile: string;
  json: boolean;
  fix: boolean;
}

/** What a server's work may take beside the time of a script, in milliseconds. */
const MARGIN_MS = 60_000;

/**
 * `draupnir doctor`: prints what does not hold on this host; resolves to the exit code: 0 when all holds, or did after
 * `--fix`, 1 when something does not, 78 when the configuration cannot be used.
 */
export async function runDoctor({ configFile, json, fix }: DoctorOptions): Promise<number> {
  const started = performance.now();
  try {
    const { config } = await loadServerConfig(configFile, process.env, new Date(), (files) =>
      becomeServerUser(files, configFile),
    );
    const { checked, findings } = await diagnose(config, configFile, fix);
    const report = {
      ok: findings.every(({ fixed }) => fixed),
      checked,
      findings,
      durationMs: Math.round(performance.now() - started),
    };
    process.stdout.write(json ? formatReportAsJson(report) : formatReport(report));
    return report.ok ? 0 : 1;
  } catch (error) {
    return reportStartFailure(error);
  }
}

interface Diagnosis {
  readonly checked: Examined['checked'];
  readonly findings: readonly Treated[];
}

async function diagnose(config: ServerConfig, configFile: string, fix: boolean): Promise<Diagnosis> {
  await using opened = new AsyncDisposableStack();
  const scripts = new ScriptRunner(config.scriptsPath, config.scriptTimeoutMs);
  const [facts, sealer, conf, records, others] = await Promise.all([
    gatherFacts(config),
    openSealer(config),
    checkConf(config, configFile),
    connect(config, opened),
    checkOthers(config, scripts),
  ]);
  const parts = records.value && composeParts(config, scripts, records.value, sealer.value);
  const examined: Attempt<Examined> = parts && !conf.finding ? await tryToExamine(parts) : {};
  const { value } = examined;
  const around = checkInstallation(facts, value?.inspection, config.scriptsPath, new Date());
  const outer = [sealer, conf, records, examined].flatMap(({ finding }) => finding ?? []);
  const left = [...outer, ...others.findings, ...around.findings].map(asLeft);
  if (!parts || !value) return { checked: {}, findings: left };
  const repairer = createRepairer(config, scripts, parts, sealer.value);
  const treated = fix && others.allowsFix ? await repair(parts, value, repairer) : value.findings.map(asLeft);
  const checked = { ...value.checked, I14: others.count, installation: around.count };
  return { checked, findings: [...treated, ...left] };
}

/** Other installations of this host. That the script cannot be run is a finding of its own. */
async function checkOthers(
  config: ServerConfig,
  scripts: ScriptRunner,
): Promise<Checked & { readonly allowsFix: boolean }> {
  try {
    const others = await findOtherInstallations(config, scripts);
    const checked = checkOtherInstallations(others.installations, others.scripts);
    return { ...checked, allowsFix: !others.shared.some(({ overlaps }) => sharesUsers(overlaps)) };
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    return { count: 0, findings: [], allowsFix: true };
  }
}

async function repair(parts: ExaminationParts, examined: Examined, repairer: Repairer): Promise<Treated[]> {
  if (examined.findings.length === 0) return [];
  const done = await treat(examined.findings, repairer);
  const after = await examine(parts, done.size > 0 ? PATIENT_LOOKS_MS : undefined);
  return mark(examined.findings, done, after.findings);
}

function composeParts(
  config: ServerConfig,
  scripts: ScriptRunner,
  records: PgRecordReader,
  sealer: SealedBox | undefined,
): ExaminationParts {
  const storage = new ScriptInstanceStorage(scripts);
  return {
    records,
    inspector: new ScriptInspector(scripts),
    prober: new PgInstanceProber({
      publicHostname: config.publicHostname,
      sealer,
      readAdoptedCredentials: (id) => storage.readAdoptedCredentials(id),
    }),
    paths: { dataPath: config.dataPath, scriptsPath: config.scriptsPath },
    ports: { min: config.minInstancePort, max: config.maxInstancePort },
    apiPorts: listAddresses(config.http).map(([, { port }]) => port),
    checksFirewall: config.enableIpWhitelisting,
    patience: {
      finalisingMs: config.finaliseTimeoutMs + MARGIN_MS,
      otherMs: config.scriptTimeoutMs + MARGIN_MS,
    },
  };
}

function createRepairer(
  config: ServerConfig,
  scripts: ScriptRunner,
  { records }: ExaminationParts,
  sealer: SealedBox | undefined,
): ScriptRepairer {
  const { publicHostname, instanceStartTimeoutMs: startTimeoutMs } = config;
  return new ScriptRepairer({
    scripts,
    storage: new ScriptInstanceStorage(scripts),
    proof: new PgInstanceProof({ publicHostname, startTimeoutMs }),
    find: async (id) => {
      const instance = (await records.read()).instances.find((each) => each.id === id);
      if (!instance?.credentials || !sealer) throw new Error(`instance ${id} has no credentials`);
      return { port: instance.port, credentials: openCredentials(sealer, id, instance.credentials) };
    },
  });
}

function asLeft(finding: Finding): Treated {
  return { ...finding, fixed: false };
}

/** A part that could be made, or why not. */
interface Attempt<T> {
  value?: T;
  finding?: Finding;
}

async function gatherFacts(config: ServerConfig): Promise<Parameters<typeof checkInstallation>[0]> {
  const { listenAddress, tlsCertificate } = config.http;
  const pem = listenAddress && tlsCertificate !== undefined ? await readFile(tlsCertificate) : undefined;
  return {
    scriptsWithoutRule: await listScriptsWithoutRule(config.scriptsPath),
    serverUser: userInfo().username,
    apiCertificateEnds: pem && new X509Certificate(pem).validToDate,
    minFreeBytes: config.minFreeSpace,
    allocation: await readAllocation(config.dataPath),
    dataPath: config.dataPath,
    legacyRules: await listLegacyRules(),
    shadow: await findShadow(),
  };
}

async function openSealer({ encryptionKeyFile }: ServerConfig): Promise<Attempt<SealedBox>> {
  const finding = { invariant: 'installation', object: 'encryption_key_file' } as const;
  try {
    const key = await readKeyFile(encryptionKeyFile);
    if (key) return { value: new SealedBox(key) };
    const hint =
      'put it back from your backup; for a new installation the server makes it at its first start';
    return { finding: { ...finding, message: `${encryptionKeyFile} does not exist`, hint } };
  } catch {
    const hint = "it holds 64 hexadecimal digits and belongs to the server's user, mode 0600";
    return { finding: { ...finding, message: `${encryptionKeyFile} cannot be used`, hint } };
  }
}

async function checkConf(config: ServerConfig, configFile: string): Promise<Attempt<never>> {
  try {
    await checkHostConf(config, configFile);
    return {};
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const message = error.problems.map((problem) => `${problem.path} ${problem.message}`).join('; ');
    const hint = 'make configuration and host.conf agree';
    return { finding: { invariant: 'installation', object: 'host.conf', message, hint } };
  }
}

async function connect(config: ServerConfig, opened: AsyncDisposableStack): Promise<Attempt<PgRecordReader>> {
  const finding = { invariant: 'installation', object: 'database' } as const;
  try {
    const database = await createDatabaseConfig(config.databaseUrl);
    const pending = await listPendingMigrations(database, listMigrations());
    if (pending.length > 0) {
      const hint = 'run draupnir migrate, or start the server';
      return { finding: { ...finding, message: `lacks migrations (${pending.join(', ')})`, hint } };
    }
    return { value: opened.use(await PgRecordReader.connect(database)) };
  } catch (error) {
    const code =
      error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown';
    const hint = 'start it, and look at database_url';
    return { finding: { ...finding, message: `cannot be asked (${code})`, hint } };
  }
}

/** Without a look at the host nothing else can be said. */
async function tryToExamine(parts: ExaminationParts): Promise<Attempt<Examined>> {
  try {
    return { value: await examine(parts) };
  } catch (error) {
    if (!(error instanceof ScriptError)) throw error;
    const message = `the host cannot be inspected: ${error.reason.replaceAll(/\s+/g, ' ')}`;
    const hint = `run sudo ${parts.paths.scriptsPath}/draupnir-inspect as root and put right what it complains of`;
    return { finding: { invariant: 'installation', object: 'scripts', message, hint } };
  }
}
