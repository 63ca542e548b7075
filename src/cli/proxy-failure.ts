import { findErrorCode } from './failure.ts';
import type { Proxy } from './proxy.ts';

/** Why a proxy opened no tunnel; undefined for errors of anything else. */
export function explainProxyFailure(
  error: unknown,
  proxy: Proxy,
  target: URL,
): { reason: string; hint: string } | undefined {
  if (findErrorCode(error) !== 'ERR_PROXY_TUNNEL') return undefined;
  // Set by Node (lib/https.js, establishTunnel) where the proxy answered; not a number for what is no HTTP.
  const { statusCode, proxyTunnelTimeout } = error as { statusCode?: number; proxyTunnelTimeout?: number };
  if (statusCode !== undefined && !Number.isNaN(statusCode)) return explainRefusal(statusCode, proxy, target);
  const reason = proxyTunnelTimeout === undefined ? 'gave no answer of a proxy' : 'does not answer';
  return { reason: `the proxy ${proxy.name} ${reason}`, hint: `check ${proxy.variable}` };
}

/** What a proxy means by a status; `target` is the server. */
export function explainRefusal(status: number, proxy: Proxy, target: URL): { reason: string; hint: string } {
  const exempt = `or exempt the server: NO_PROXY=${target.hostname}`;
  if (status === 407) {
    const { username } = new URL(proxy.href);
    return username === ''
      ? {
          reason: `the proxy ${proxy.name} requires a user name and a password (407)`,
          hint: `${proxy.variable}=${proxy.name.replace('//', '//USER:PASSWORD@')}, ${exempt}`,
        }
      : {
          reason: `the proxy ${proxy.name} rejects the user name or the password (407)`,
          hint: `correct them in ${proxy.variable}, ${exempt}`,
        };
  }
  if (status >= 500) {
    return {
      reason: `the proxy ${proxy.name} cannot connect to ${target.host} (${status})`,
      hint: `check the server, ${exempt}`,
    };
  }
  return {
    reason: `the proxy ${proxy.name} refuses connections to ${target.host} (${status})`,
    hint: `ask its operator, ${exempt}`,
  };
}
