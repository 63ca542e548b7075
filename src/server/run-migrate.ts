import { migrate } from '../db/migrate.ts';
import { createDatabaseConfig, listMigrations } from './database.ts';
import { loadConfigAsServerUser } from './server-user.ts';
import { reportStartFailure } from './start-failure.ts';

/** `draupnir migrate`: brings the metadata database up to date; resolves to the exit code. */
export async function runMigrate(options: { configFile: string }): Promise<number> {
  try {
    const { config } = await loadConfigAsServerUser(options.configFile);
    const done = await migrate(await createDatabaseConfig(config.databaseUrl), listMigrations());
    const lines = done.length === 0 ? ['the database is up to date'] : done.map((name) => `applied ${name}`);
    process.stdout.write(`${lines.join('\n')}\n`);
    return 0;
  } catch (error) {
    return reportStartFailure(error);
  }
}
