import { writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import { type Cluster, getImageName } from '../workplace.ts';

const MIN_BUFFERS_MB = 32;
/** More buffers take longer to look through, which every table that is dropped needs. */
const MAX_BUFFERS_MB = 2048;

/**
 * shared_buffers, in MB: a quarter of what a preparation may take, but of the host's memory an eighth. What the anonymisation has
 * changed and the scrub rewrites is never written in between, as long as it is in there.
 */
export function sizeBuffers(memoryKib: number, hostKib: number): number {
  const size = Math.floor(Math.min(memoryKib / 4, hostKib / 8) / 1024);
  return Math.max(MIN_BUFFERS_MB, Math.min(MAX_BUFFERS_MB, size));
}

export function getConfigurationFile({ scratch }: Cluster): string {
  return join(scratch, 'postgresql.conf');
}

/**
 * Writes our own configuration. Durability is off: the clone is thrown away unless every step succeeds, and the snapshot at the
 * end writes all of it to disk (btrfs-subvolume(8)). Only LOG and above is logged: an ERROR line could quote a row.
 */
export async function writeConfiguration(cluster: Cluster): Promise<void> {
  const { scratch, memoryKib, major } = cluster;
  const walSegmentMb = cluster.walSegmentBytes / 2 ** 20;
  const [hba, ident] = [join(scratch, 'pg_hba.conf'), join(scratch, 'pg_ident.conf')];
  // Only the uid of the image can enter the directory of the socket, and it has this uid for itself.
  await writeFile(hba, 'local all all trust\n');
  await writeFile(ident, '');
  const settings = {
    cluster_name: `draupnir-image-${getImageName(cluster)}`,
    listen_addresses: '',
    port: '5432',
    unix_socket_directories: scratch,
    unix_socket_permissions: '0700',
    hba_file: hba,
    ident_file: ident,
    max_connections: '20',
    shared_buffers: `${sizeBuffers(memoryKib, totalmem() / 1024)}MB`,
    huge_pages: 'off',
    maintenance_work_mem: '256MB',
    max_prepared_transactions: '1000',
    max_locks_per_transaction: '1024',
    max_logical_replication_workers: '0',
    // Recovery of a backup of any standby or subscriber; the origins are dropped afterwards.
    [major >= 18 ? 'max_active_replication_origins' : 'max_replication_slots']: '1000',
    // Recovery compares no settings with those of the source.
    hot_standby: 'off',
    // Of a copy of a standby all log that can be had is there.
    restore_command: 'false',
    wal_level: 'minimal',
    max_wal_senders: '0',
    // At least two segments each (PostgreSQL manual, 20.5).
    min_wal_size: `${2 * walSegmentMb}MB`,
    max_wal_size: `${Math.max(4096, 2 * walSegmentMb)}MB`,
    wal_recycle: 'off',
    wal_init_zero: 'off',
    fsync: 'off',
    full_page_writes: 'off',
    autovacuum: 'off',
    restart_after_crash: 'off',
    lc_messages: 'C',
    log_timezone: 'UTC',
    log_min_messages: 'log',
    log_min_error_statement: 'panic',
    log_checkpoints: 'off',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`);
  await writeFile(getConfigurationFile(cluster), lines.join(''));
}
