import type { Log } from '../core/log.ts';
import type { IgnoredPeerListener } from '../http/client-address.ts';

/** Any client can send the header: more peers than this are not logged. */
const MAX_PEERS = 10;

/** Logs each peer whose `X-Forwarded-For` is ignored once; the first few of a process. */
export function logIgnoredPeers(log: Log): IgnoredPeerListener {
  const peers = new Set<string>();
  return (peer) => {
    if (peers.has(peer) || peers.size >= MAX_PEERS) return;
    peers.add(peer);
    const hint = 'if it is a proxy of yours, add its network to trusted_proxy_cidrs';
    log.warn({ peer, hint }, 'ignoring X-Forwarded-For of a peer that is not in trusted_proxy_cidrs');
  };
}
