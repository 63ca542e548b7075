import type { FastifyRequest } from 'fastify';
import type { Caller } from '../core/caller.ts';

/** What is found out about a request while it is answered, for those who look at it afterwards. */
export interface RequestNotes {
  /** Who sent it, once that is known. */
  caller?: Caller;
  /** Who signed in, or tried to, where that is what the request is for. */
  signedIn?: string;
  /** What it was about where the path does not tell: `instances/7`. */
  object?: string;
  /** Id of the error it was answered with. */
  reason?: string;
  /** It was counted as one of a stranger. */
  counted?: boolean;
  /** Not the first one of its minute that was refused for being too many. */
  repeated?: boolean;
}

const notes = new WeakMap<FastifyRequest, RequestNotes>();

/** The notes of a request, to be read and written. */
export function getNotes(request: FastifyRequest): RequestNotes {
  const found = notes.get(request);
  if (found) return found;
  const made: RequestNotes = {};
  notes.set(request, made);
  return made;
}
