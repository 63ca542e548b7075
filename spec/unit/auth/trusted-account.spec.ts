import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findTrustedEmail } from '../../../src/auth/trusted-account.ts';

const TRUST = { clientId: 'the-client', domain: '@corp.com' };

function find(
  email: string,
  change: { emailVerified?: boolean; audience?: string } = {},
): string | undefined {
  return findTrustedEmail({ email, emailVerified: true, audience: 'the-client', ...change }, TRUST);
}

describe('findTrustedEmail', () => {
  it('finds an address of the domain, whatever the case of the domain is', () => {
    expect(find('ada@corp.com')).toBe('ada@corp.com');
    expect(find('Ada@Corp.COM')).toBe('Ada@Corp.COM');
    const trust = { ...TRUST, domain: '@CORP.com' };
    expect(
      findTrustedEmail({ email: 'a@corp.com', emailVerified: true, audience: 'the-client' }, trust),
    ).toBe('a@corp.com');
  });

  it.each([
    'x@evilcorp.com',
    'x@corp.com.evil.com',
    'x@sub.corp.com',
    'x@evil.com@corp.com',
    '"x@evil.com"@corp.com',
    'x @corp.com',
    'x\n@corp.com',
    'ä@corp.com',
    '@corp.com',
    'corp.com',
    'x@corp.com ',
    'x@corp.com.',
    'upload',
    '',
    `${'x'.repeat(320)}@corp.com`,
  ])('finds nobody in %j', (email) => {
    expect(find(email)).toBeUndefined();
  });

  it('finds nobody whose address is not verified, or who signed in to another client', () => {
    expect(find('ada@corp.com', { emailVerified: false })).toBeUndefined();
    expect(find('ada@corp.com', { audience: 'another-client' })).toBeUndefined();
    expect(find('ada@corp.com', { audience: '' })).toBeUndefined();
  });

  it('never finds an address of another domain', () => {
    fc.assert(
      fc.property(fc.emailAddress(), (email) => {
        expect(find(email)).toBe(/^[^@"]+@corp\.com$/i.test(email) ? email : undefined);
      }),
    );
  });
});
