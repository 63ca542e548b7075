import { ApiClient } from '../../../src/cli/api-client.ts';
import type { TimeLimits } from '../../../src/cli/time-limits.ts';

export const TOKEN = 'the-refresh-token';

/** Short enough to be waited for, long enough for a busy machine to answer. */
export const SHORT_LIMITS: TimeLimits = {
  connectMs: 400,
  silenceMs: 400,
  signInMs: 800,
  minPollMs: 10,
  maxPollMs: 20,
  outageMs: 2000,
  retryMs: 20,
};

export interface ClientOptions {
  https?: boolean;
  verify?: boolean;
  limits?: Partial<TimeLimits>;
  /** Of the command line; the tests' own environment may name a proxy. */
  env?: NodeJS.ProcessEnv;
}

/** A client of the server at `domain`, by plain HTTP unless `https` is set. */
export function createClient(domain: string, options: ClientOptions = {}): ApiClient {
  return new ApiClient({
    server: new URL(`${options.https === true ? 'https' : 'http'}://${domain}`),
    token: TOKEN,
    verifyCertificate: options.verify ?? true,
    env: options.env ?? {},
    limits: { ...SHORT_LIMITS, connectMs: 10_000, silenceMs: 10_000, ...options.limits },
  });
}
