import { describe, expect, it } from 'vitest';
import { findAction } from '../../../src/http/audit-action.ts';

const READ = { method: 'GET', route: '/images' };

describe('the action of a request', () => {
  it.each([401, 403, 429])(
    'is the request itself where reading is refused for who sends it, by %i',
    (status) => {
      expect(findAction(READ, status)).toBe('GET /images');
      expect(findAction({ ...READ, method: 'HEAD' }, status)).toBe('GET /images');
    },
  );

  it.each([200, 304, 400, 404, 500, 503])('is none where reading is answered %i', (status) => {
    expect(findAction(READ, status)).toBeUndefined();
  });

  it('is that of what changes something, whatever comes of it, on a path that has the method', () => {
    const correction = { method: 'PATCH', route: '/images/:id' };
    expect([200, 403, 409, 500].map((status) => findAction(correction, status))).toEqual(
      Array.from({ length: 4 }, () => 'image.correct'),
    );
    expect(findAction(correction, 405)).toBeUndefined();
    expect(findAction({ ...correction, route: undefined }, 404)).toBeUndefined();
  });
});
