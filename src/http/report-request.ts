import type { FastifyRequest } from 'fastify';
import type { ErrorReporter } from '../core/error-reporter.ts';
import type { HttpError } from './error-body.ts';

/** Reports a request that failed: the pattern of its path, never the path, and nothing of what it carried. */
export function reportRequest(
  errors: ErrorReporter | undefined,
  error: unknown,
  request: FastifyRequest,
  answer: Pick<HttpError, 'status' | 'body'>,
): void {
  const route = request.is404 ? undefined : request.routeOptions.url;
  errors?.report(error, {
    failure: 'request failed',
    errorId: answer.body.id,
    status: answer.status,
    requestId: request.id,
    method: request.method,
    ...(route !== undefined && { route }),
  });
}
