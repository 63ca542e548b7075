import type { ReadableConfig } from '../../config/readable-config.ts';
import type { Outcome } from './outcome.ts';

/**
 * Values of sample/config.toml that are examples, where they are in use. Its secrets are refused when the configuration
 * is read; its paths, ports and times are right for most.
 */
export function* checkSampleValues(config: ReadableConfig, sample: ReadableConfig): Generator<Outcome> {
  const pairs: [path: string, value: string | undefined, example: string | undefined][] = [
    ['public_hostname', config.publicHostname, sample.publicHostname],
  ];
  if (config.oauth?.enabled === true) {
    pairs.push(
      ['trusted_user_email_domain', config.trustedUserEmailDomain, sample.trustedUserEmailDomain],
      ['oauth.redirect_url', config.oauth.redirectUrl, sample.oauth?.redirectUrl],
      ['oauth.client_id', config.oauth.clientId, sample.oauth?.clientId],
    );
  }
  for (const [path, value, example] of pairs) {
    if (value === undefined || value !== example) continue;
    yield {
      level: 'problem',
      path,
      message: 'is the value of the sample: replace it by your own',
      found: JSON.stringify(value),
    };
  }
}
