/** Where the cluster's superuser connects; plain data, since it crosses from the global setup to the workers. */
export interface ClusterConfig {
  host: string;
  port: number;
  user: string;
}

/** A migrated database without rows, which no one can connect to: `CREATE DATABASE … TEMPLATE` never finds it busy. */
export const TEMPLATE_DATABASE = 'draupnir_template';

declare module 'vitest' {
  interface ProvidedContext {
    cluster: ClusterConfig;
  }
}
