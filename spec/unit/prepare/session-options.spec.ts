import { describe, expect, it } from 'vitest';
import { formatSessionOptions } from '../../../src/prepare/postgres/session-options.ts';

describe('the options of a session', () => {
  it('name no setting that the major does not know', () => {
    expect(formatSessionOptions(13, false)).not.toMatch(
      /idle_session_timeout|(?<!session_)transaction_timeout=|event_triggers/,
    );
    expect(formatSessionOptions(16, false)).toMatch(/ -c idle_session_timeout=0$/);
    expect(formatSessionOptions(17, false)).toMatch(/ -c transaction_timeout=0 -c event_triggers=off$/);
  });

  it('leave the search path of the source to its own code', () => {
    expect(formatSessionOptions(18, false)).not.toContain('search_path');
    const own = formatSessionOptions(18, true);
    expect(own).toMatch(/-c search_path=pg_catalog$/);
    expect(own).toContain('-c lock_timeout=60s');
  });
});
