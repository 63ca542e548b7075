export type VersionCheck = 'exact' | 'compatible';

const VERSION_PATTERN = /^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$/;

/**
 * Whether a client of that version is served: `exact` takes the server's own alone, `compatible` any of the same major with a
 * minor that is not newer (contract: HTTP API, "Version header").
 */
export function acceptsVersion(check: VersionCheck, requested: string, server: string): boolean {
  if (check === 'exact') return requested === server;
  const client = VERSION_PATTERN.exec(requested);
  const own = VERSION_PATTERN.exec(server);
  if (!client || !own) return false;
  return client[1] === own[1] && Number(client[2]) <= Number(own[2]);
}
