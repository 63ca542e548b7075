import { Cluster } from './cluster.ts';
import { getInstallation, type Installation, SERVER_USER } from './installation.ts';

/** The cluster of the metadata, which only the server's user can use. */
export function getMetadataCluster({ postgres, debianMajor, metadata }: Installation): Cluster {
  return new Cluster({ postgres, major: debianMajor, dir: metadata, user: SERVER_USER });
}

/** Makes and starts the cluster with an empty database `draupnir`. */
export async function startMetadataCluster(installation: Installation): Promise<void> {
  const cluster = getMetadataCluster(installation);
  await cluster.create();
  await cluster.start();
  await cluster.query('postgres', 'CREATE DATABASE draupnir');
}

/** Asks the metadata database. */
export function queryMetadata(sql: string, database = 'draupnir'): Promise<string> {
  return getMetadataCluster(getInstallation()).query(database, sql);
}
