/** What one listener bears. Times in milliseconds. */
export interface HttpLimits {
  /** Most connections at once; more are hung up on. */
  maxConnections: number;
  /** Most of them from one address (IPv6: one /64); proxies are exempt. */
  maxConnectionsPerAddress: number;
  /** Requests of one address (IPv6: one /64) in a minute that fail without a valid token, or are for signing in. */
  failedRequestsPerMinute: number;
  /** For the headers of a request to arrive, from its first byte. */
  headerTimeoutMs: number;
  /** For headers and body to arrive. An answer may take hours. */
  requestTimeoutMs: number;
}
