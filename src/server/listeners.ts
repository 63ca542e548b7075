import { readFile } from 'node:fs/promises';
import type { FastifyInstance } from 'fastify';
import type { HttpConfig } from '../config/server-config.ts';
import type { ListenAddress } from '../config/listen-address.ts';
import type { Log } from '../core/log.ts';
import { buildApp } from '../http/app.ts';
import type { AppParts } from '../http/app.ts';
import { findUnspecifiedAddress } from '../http/unspecified-address.ts';
import { buildTlsOptions } from './api-certificate.ts';

/** Opens the configured listeners, HTTPS and plain; when one cannot be opened, none stays. */
export async function openListeners(http: HttpConfig, parts: AppParts): Promise<FastifyInstance[]> {
  const apps: FastifyInstance[] = [];
  try {
    if (http.listenAddress && http.tlsCertificate !== undefined && http.tlsPrivateKey !== undefined) {
      const files = [http.tlsCertificate, http.tlsPrivateKey] as const;
      const [certificatePem, keyPem] = await Promise.all([readFile(files[0]), readFile(files[1])]);
      const app = buildApp(parts, buildTlsOptions({ certificatePem, keyPem }));
      apps.push(app);
      await listen(app, http.listenAddress, 'https', parts.log);
    }
    if (http.insecureListenAddress) {
      const app = buildApp(parts);
      apps.push(app);
      await listen(app, http.insecureListenAddress, 'http', parts.log);
    }
    return apps;
  } catch (error) {
    await Promise.all(apps.map((app) => app.close()));
    throw error;
  }
}

async function listen(app: FastifyInstance, address: ListenAddress, scheme: string, log: Log): Promise<void> {
  // An empty host means every address of both families.
  const host = address.host === '' ? await findUnspecifiedAddress() : address.host;
  const url = await app.listen({ host, port: address.port, listenTextResolver: (text) => text });
  log.info({ scheme, url }, 'listening');
}
