/**
 * JSON:API shapes on the wire, shared by the server and the command line (contract: HTTP API). Ids are strings
 * and names are snake_case here and nowhere else.
 */

/** Media type of every JSON answer; the original sends it without a charset. */
export const JSON_TYPE = 'application/json';

export interface ImageResource {
  type: 'images';
  id: string;
  attributes: { backed_up_at: string; created_at: string; ready: boolean; updated_at: string };
}

export interface InstanceResource {
  type: 'instances';
  id: string;
  attributes: { hostname: string; image_id: number; port: number; created_at: string; updated_at: string };
  relationships?: { credentials: { data: { type: 'credentials'; id: string } } };
}

export interface CredentialsResource {
  type: 'credentials';
  id: string;
  attributes: { ca_certificate: string; client_certificate: string; client_key: string };
}

/** A document with one primary resource. */
export interface ResourceDocument<R> {
  data: R;
}

/** An instance together with its credentials. */
export interface InstanceDocument extends ResourceDocument<InstanceResource> {
  included: [CredentialsResource];
}

/** The one flat error object of the contract; `code` equals `id`. */
export interface ErrorBody {
  id: string;
  status: string;
  code: string;
  title: string;
  detail: string;
  source: { parameter?: string };
}

/** OAuth token as `POST /access_tokens` answers it, without an envelope. */
export interface TokenBody {
  access_token: string;
  token_type: string;
  refresh_token: string;
  expiry: string;
}

/** What was formatted, as long as somebody has it: rows that are listed again have the same times (db/timestamps.ts). */
const formatted = new WeakMap<Date, string>();

/** UTC, ISO 8601, whole seconds: `2017-05-01T12:00:00Z`. */
export function formatTime(time: Date): string {
  let text = formatted.get(time);
  if (text === undefined) {
    text = `${time.toISOString().slice(0, -'.000Z'.length)}Z`;
    formatted.set(time, text);
  }
  return text;
}
