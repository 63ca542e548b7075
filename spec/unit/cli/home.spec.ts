import { userInfo } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { findHome } from '../../../src/cli/home.ts';

afterEach(() => void vi.unstubAllEnvs());

describe('the home directory', () => {
  it('is HOME', () => {
    vi.stubEnv('HOME', '/home/me');
    expect(findHome()).toBe('/home/me');
  });

  it.each([undefined, '', '.', 'home/me'])('is that of the password database when HOME is %j', (home) => {
    vi.stubEnv('HOME', home);
    expect(findHome()).toBe(userInfo().homedir);
  });
});
