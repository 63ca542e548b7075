/** What the settings hold until the user has named a server (contract: command line). */
export const UNSET_DOMAIN = 'set-me-to-a-real-domain';

/** The base URL of a server given as `host` or `host:port`; undefined when it is anything else. */
export function findServerUrl(domain: string, scheme: 'http' | 'https'): URL | undefined {
  if (!/^[^\s/\\@?#%]+$/.test(domain)) return undefined;
  const url = `${scheme}://${domain}`;
  return URL.canParse(url) ? new URL(url) : undefined;
}
