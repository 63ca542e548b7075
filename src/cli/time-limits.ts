/** How long the command line waits for a server. In milliseconds. */
export interface TimeLimits {
  /** For a connection: name, TCP, the proxy's tunnel and TLS. */
  connectMs: number;
  /**
   * Longest silence where an answer is immediate, and within any answer. Requests that change something may
   * take longer: their server is asked after each such silence whether it is alive, and they fail when it
   * does not answer.
   */
  silenceMs: number;
  /** For the user to sign in; the server waits 60 s (contract: HTTP API, "Routes"). */
  signInMs: number;
  /**
   * Between two looks at an image that is being finalised: a fiftieth of the time so far, within these
   * bounds.
   */
  minPollMs: number;
  maxPollMs: number;
  /** How long a server may be unreachable while it finalises an image: it may be restarted, or its host. */
  outageMs: number;
  /** Between two tries in that time. */
  retryMs: number;
}

export const TIME_LIMITS: TimeLimits = {
  connectMs: 30_000,
  silenceMs: 30_000,
  signInMs: 90_000,
  minPollMs: 200,
  maxPollMs: 5000,
  outageMs: 300_000,
  retryMs: 2000,
};
