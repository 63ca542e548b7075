import { expect, it } from 'vitest';
import { VERSION, withToken } from '../support/api.ts';
import { ERRORS, expectAnswer, versionError } from '../support/contract.ts';
import { useServer } from '../support/use-server.ts';

/** Contract: HTTP API, "Version header": the same major, and a minor that is not newer. */
const server = useServer({ versionCheck: 'compatible' });

const [major = 0, minor = 0, patch = 0] = VERSION.split('.').map(Number);

it.each([
  VERSION,
  `${major}.${minor}.${patch + 1}`,
  `${major}.${minor}.99999`,
  `${major}.${minor - 1}.6`,
  `${major}.0.0`,
])('%s is served, and told the version of the server', async (version) => {
  const answer = await server.api.send('GET', '/instances', { version });
  expectAnswer(answer, { status: 200, body: { data: [] } });
});

it.each([
  `${major}.${minor + 1}.0`,
  `${major + 1}.0.0`,
  `${major - 1}.${minor}.${patch}`,
  `${major}`,
  `${major}.${minor}`,
  `${major}.${minor}.${patch}.1`,
  `${major}.${minor}.x`,
  `${major}.${minor}.-1`,
  `0${VERSION}`,
  `v${VERSION}`,
  `${VERSION}-rc1`,
  `${VERSION}, ${VERSION}`,
  '٥.٤.٠',
])('%s is refused before anybody asks for a token', async (version) => {
  // A header is bytes; the answer shows them as the server has read them.
  const sent = Buffer.from(version).toString('latin1');
  for (const as of ['none', 'developer', withToken('wrong')] as const) {
    const answer = await server.api.send('GET', '/instances', { as, version: sent });
    expectAnswer(answer, { status: 400, body: versionError(sent) });
  }
});

it('no version is still one too few', async () => {
  const answer = await server.api.send('GET', '/instances', { as: 'none', version: null });
  expectAnswer(answer, { status: 400, body: ERRORS.missingVersion });
  expect(answer.headers['draupnir-version']).toBe(VERSION);
});
