import type { ConfigTable } from './config-table.ts';
import type { ListenAddress } from './listen-address.ts';
import type { HttpConfig, ServerConfig } from './server-config.ts';
import { listenAddressKind, textKind } from './value-kind.ts';
import { withoutAbsent } from './without-absent.ts';

/** The table [http]. */
export function readHttp(http: ConfigTable): HttpConfig {
  const listenAddress = http.optional('listen_address', listenAddressKind);
  const insecureListenAddress = http.optional('insecure_listen_address', listenAddressKind);
  if (!http.has('listen_address') && !http.has('insecure_listen_address')) {
    http.report(
      'listen_address',
      'is missing: set it for HTTPS, or http.insecure_listen_address for HTTP, to "host:port", such as "0.0.0.0:8443"',
    );
  }
  // Relative paths worked in 5.3.x.
  const readPath = (key: string) =>
    http.has('listen_address') ? http.required(key, textKind) : http.optional(key, textKind);
  const tlsCertificate = readPath('tls_certificate');
  const tlsPrivateKey = readPath('tls_private_key');
  const metricsListenAddress = http.optional('metrics_listen_address', listenAddressKind);
  return withoutAbsent({
    listenAddress,
    insecureListenAddress,
    tlsCertificate,
    tlsPrivateKey,
    metricsListenAddress,
  });
}

/** All addresses that the server listens on, by their key in [http]. */
export function listAddresses(http: HttpConfig): [key: string, address: ListenAddress][] {
  return Object.entries({
    listen_address: http.listenAddress,
    insecure_listen_address: http.insecureListenAddress,
    metrics_listen_address: http.metricsListenAddress,
  }).filter((entry): entry is [string, ListenAddress] => entry[1] !== undefined);
}

/** Installations of 5.3 may have the API among the ports of instances. It works, as long as nobody guards these. */
export function warnOfSharedPort(
  table: ConfigTable,
  http: HttpConfig,
  { minInstancePort, maxInstancePort }: Pick<ServerConfig, 'minInstancePort' | 'maxInstancePort'>,
): void {
  for (const [key, { port }] of listAddresses(http)) {
    // Also where the ports are wrong themselves.
    if (port >= minInstancePort && port < maxInstancePort) {
      table.warn(
        key,
        `port ${port} is one of the ports of instances, which a firewall may close: choose another`,
      );
    }
  }
}
