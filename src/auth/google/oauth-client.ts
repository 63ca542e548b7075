import { gaxios, OAuth2Client } from 'google-auth-library';
import type { GoogleOptions } from './google-provider.ts';

/** Largest answer that is read, in bytes; the provider's are below 2 KiB. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** A client of Google's library for one call, which the signal ends. */
export function createOauthClient(options: GoogleOptions, signal: AbortSignal): OAuth2Client {
  return new OAuth2Client({
    clientId: options.clientId,
    clientSecret: options.clientSecret.reveal(),
    redirectUri: options.redirectUrl,
    endpoints: {
      oauth2AuthBaseUrl: options.authUrl,
      oauth2TokenUrl: options.tokenUrl,
      tokenInfoUrl: options.tokeninfoUrl,
    },
    transporter: new OneTryTransport({ signal }),
    // Would write tokens to the log whenever GOOGLE_SDK_NODE_LOGGING is set.
    useAuthRequestParameters: false,
  });
}

/** The library tries up to four times, longer than anybody waits here; and it follows redirects, secrets in hand. */
class OneTryTransport extends gaxios.Gaxios {
  override async request<T>(options: gaxios.GaxiosOptions = {}): Promise<gaxios.GaxiosResponse<T>> {
    const once = { ...options, retry: false, redirect: 'error', maxContentLength: MAX_ANSWER_BYTES } as const;
    // Its presence alone would mean: try again.
    delete (once as gaxios.GaxiosOptions).retryConfig;
    return super.request<T>(once);
  }
}
