declare module 'autocannon' {
  export interface Result {
    requests: { average: number; total: number };
    /** In milliseconds. */
    latency: { p50: number; p99: number };
    non2xx: number;
    errors: number;
  }
  export default function autocannon(options: {
    url: string;
    connections: number;
    /** Seconds. */
    duration?: number;
    /** Requests in all, instead. */
    amount?: number;
    headers?: Record<string, string>;
  }): PromiseLike<Result>;
}
