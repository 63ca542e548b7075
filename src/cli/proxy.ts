import { CliError, EXIT_CONFIG } from './failure.ts';
import { isExempt } from './no-proxy.ts';

/** The HTTP proxy that requests to a server go through. */
export interface Proxy {
  /** With the user's name and password, if there are any: never show it. */
  href: string;
  /** Without them, such as `http://proxy.example.com:3128`. */
  name: string;
  /** The environment variable that names it. */
  variable: string;
}

/**
 * Finds the proxy that the environment names for a server: HTTPS_PROXY or HTTP_PROXY, by the server's
 * protocol, unless NO_PROXY exempts it. Names in lower case win, as in curl and Node. Throws `CliError` for
 * what cannot be used; the value is never repeated, since it may hold a password.
 */
export function findProxy(server: URL, env: NodeJS.ProcessEnv): Proxy | undefined {
  const upper = server.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const variable = [upper.toLowerCase(), upper].find((name) => env[name]);
  const value = variable === undefined ? undefined : env[variable];
  if (variable === undefined || value === undefined) return undefined;
  if (isExempt(server, env.no_proxy || env.NO_PROXY || '')) return undefined;
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  if (url === null || url.hostname === '' || !isDecodable(url)) {
    throw new CliError(`${variable} is not the URL of a proxy`, {
      hint: `such as ${variable}=http://proxy.example.com:3128, special characters in a password as %40`,
      exitCode: EXIT_CONFIG,
    });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new CliError(`${variable} names a proxy of type ${url.protocol.slice(0, -1)}`, {
      hint: 'only http:// and https:// proxies can be used',
      exitCode: EXIT_CONFIG,
    });
  }
  return { href: url.href, name: url.origin, variable };
}

/** Node decodes name and password, and throws for a lone `%`. */
function isDecodable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}
