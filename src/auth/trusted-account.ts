import type { ProviderAccount } from '../core/identity-provider.ts';

/** Whom to trust. */
export interface Trust {
  clientId: string;
  /** Starts with `@`. */
  domain: string;
}

/**
 * The address of an account that may use this server: verified, signed in to this very client, and of exactly the
 * trusted domain, whose case does not matter. Undefined for any other.
 */
export function findTrustedEmail(account: ProviderAccount, trust: Trust): string | undefined {
  const at = account.email.lastIndexOf('@');
  const domain = account.email.slice(at).toLowerCase();
  const trusted =
    account.emailVerified &&
    account.audience === trust.clientId &&
    at > 0 &&
    domain === trust.domain.toLowerCase() &&
    // No quoted local parts, spaces or second signs: such an address could read as another one somewhere else.
    /^[\x21-\x7e]{1,320}$/.test(account.email) &&
    account.email.indexOf('@') === at;
  return trusted ? account.email : undefined;
}
