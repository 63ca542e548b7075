import { describe, expect, it } from 'vitest';
import type { ListedImage } from '../../../src/cli/documents.ts';
import { formatImageTable, formatInstanceTable } from '../../../src/cli/status.ts';

const TIME = new Date('2017-05-01T12:00:00.999Z');
const image: ListedImage = {
  id: 3,
  backedUpAt: TIME,
  updatedAt: TIME,
  ready: false,
  status: 'pending',
  failure: undefined,
  progress: undefined,
};

function describeImage(attributes: Partial<ListedImage>): string {
  return (
    formatImageTable([{ ...image, ...attributes }])[1]?.replace(/^ 3 {2}2017-05-01T12:00:00Z {2}/, '') ?? ''
  );
}

describe('the table of images', () => {
  it('has a header and a line an image', () => {
    expect(formatImageTable([image])).toEqual([
      'ID  BACKED UP             STATUS',
      ' 3  2017-05-01T12:00:00Z  pending',
    ]);
  });

  it('shows why one failed, in one line and without commands for the terminal', () => {
    const failure = 'line 3 of the script: 42601\n\u001b[2J';
    expect(describeImage({ status: 'failed', failure })).toBe('failed: line 3 of the script: 42601 [2J');
  });

  it('shows how far a finalisation is', () => {
    const finalise = (step: string, number: number) =>
      describeImage({ status: 'finalising', progress: { step, number, of: 7 } });
    expect(finalise('scrub', 6)).toBe('finalising: scrub (step 6 of 7)');
    expect(finalise('queued', 0)).toBe('finalising: queued');
  });

  it('makes do without a status, which older servers do not send', () => {
    expect(describeImage({ status: undefined, ready: true })).toBe('ready');
    expect(describeImage({ status: undefined })).toBe('not ready');
  });
});

describe('the table of instances', () => {
  it('shows image, port, time, and why one does not run', () => {
    const instance = { id: 4, hostname: 'h', port: 16412, imageId: 1, createdAt: TIME };
    expect(
      formatInstanceTable([
        { ...instance, status: 'ready', failure: undefined },
        { ...instance, id: 12, status: 'failed', failure: 'its Postgres ended' },
        { ...instance, id: 13, status: undefined, failure: undefined },
      ]),
    ).toEqual([
      'ID  IMAGE   PORT  CREATED               STATUS',
      ' 4      1  16412  2017-05-01T12:00:00Z  ready',
      '12      1  16412  2017-05-01T12:00:00Z  failed: its Postgres ended',
      '13      1  16412  2017-05-01T12:00:00Z',
    ]);
  });
});
