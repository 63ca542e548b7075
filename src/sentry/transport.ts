import http from 'node:http';
import https from 'node:https';
import { makeNodeTransport, type NodeOptions } from '@sentry/node';
import { Condition } from '../core/condition.ts';
import type { Log } from '../core/log.ts';

type CreateTransport = NonNullable<NodeOptions['transport']>;
type Transport = ReturnType<CreateTransport>;

/** Reports that may be under way at once; further ones are dropped. */
const MAX_WAITING = 30;
/** Longest time of one report, from connecting to the end of the answer, in milliseconds. */
const TIMEOUT_MS = 10_000;

/**
 * Makes the SDK's transport with a time-out, which it lacks: requests that hang would fill its queue for good.
 * Logs when reports begin to fail, and when they arrive again. `stop` ends the requests under way.
 */
export function limitTransport(stop: AbortSignal, log: Log): CreateTransport {
  return (options) => {
    const client = new URL(options.url).protocol === 'https:' ? https : http;
    const request = (given: unknown, answered: unknown): http.ClientRequest => {
      const signal = AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]);
      return client.request({ ...(given as http.RequestOptions), signal }, (response) => {
        // The SDK does not listen: an answer that breaks off would end the process.
        response.on('error', () => undefined);
        (answered as (response: http.IncomingMessage) => void)(response);
      });
    };
    const inner = makeNodeTransport({
      ...options,
      bufferSize: MAX_WAITING,
      keepAlive: false,
      httpModule: { request },
    });
    return reportState(inner, new Condition('sentry', log), stop);
  };
}

function reportState(inner: Transport, condition: Condition, stop: AbortSignal): Transport {
  const send: Transport['send'] = async (envelope) => {
    const attempt = async (): Promise<Awaited<ReturnType<Transport['send']>>> => {
      const response = await inner.send(envelope);
      const { statusCode } = response;
      if (statusCode === undefined) throw new Error('reports are dropped: too many are under way or refused');
      if (statusCode >= 300) throw new Error(`reports are answered with status ${statusCode}`);
      return response;
    };
    try {
      return await (stop.aborted ? attempt() : condition.try(attempt));
    } catch {
      return {};
    }
  };
  return { send, flush: (timeout) => inner.flush(timeout) };
}
