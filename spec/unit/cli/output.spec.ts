import { describe, expect, it } from 'vitest';
import { formatImage, formatInstance } from '../../../src/cli/output.ts';

const image = { id: 3, backedUpAt: new Date('2017-05-01T12:00:00Z'), updatedAt: new Date(0), ready: true };
const instance = { id: 4, hostname: 'h', port: 16412, createdAt: new Date('2017-05-01T16:00:00.999Z') };

describe("an image's line", () => {
  it('is what scripts cut apart', () => {
    expect(formatImage(image)).toBe(' 3 [ 2017-05-01T12:00:00Z - READY:  true ]');
    expect(formatImage({ ...image, ready: false })).toBe(' 3 [ 2017-05-01T12:00:00Z - READY: false ]');
  });

  it('grows with the id', () => {
    expect(formatImage({ ...image, id: 12 })).toMatch(/^12 \[/);
    expect(formatImage({ ...image, id: 1234 })).toMatch(/^1234 \[/);
  });
});

describe("an instance's line", () => {
  it('shows port and time of creation in whole seconds', () => {
    expect(formatInstance(instance)).toBe(' 4 [ PORT: 16412 - 2017-05-01T16:00:00Z ]');
  });
});
