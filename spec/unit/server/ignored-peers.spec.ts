import { expect, it } from 'vitest';
import { logIgnoredPeers } from '../../../src/server/ignored-peers.ts';
import { RecordingLog } from '../fakes/recording-log.ts';

it('logs each ignored peer once, with the setting that is missing, and the first ten alone', () => {
  const log = new RecordingLog();
  const report = logIgnoredPeers(log);
  report('192.0.2.1');
  report('192.0.2.1');
  expect(log.lines).toMatchObject([{ level: 'warn', fields: { peer: '192.0.2.1' } }]);
  expect(JSON.stringify(log.lines)).toContain('trusted_proxy_cidrs');
  for (let host = 2; host < 200; host++) report(`192.0.2.${host}`);
  expect(log.lines).toHaveLength(10);
});
