import { beforeAll, describe, expect, inject, it } from 'vitest';
import { type Answer, type ApiRequest, VERSION, withToken } from '../support/api.ts';
import { ERRORS, expectAnswer, ownError } from '../support/contract.ts';
import { readHostState } from '../support/host-state.ts';
import { DEVELOPER, SECRET } from '../support/installation.ts';
import { queryMetadata } from '../support/metadata.ts';
import { createState, signIn } from '../support/sign-in.ts';
import { useGoogleServer } from '../support/use-server.ts';

/** Contract: HTTP API, "Authentication": who may do what, every route for every caller, with real accounts. */
const server = useGoogleServer();

const ADA = { email: 'ada@example.com', verified: true };
const BOB = { email: 'bob@example.com', verified: true };

type Sender = NonNullable<ApiRequest['as']>;

/** Everybody who is not let in is nobody; how they try is made when the server runs. */
const NOBODIES: Record<string, () => Sender | Promise<Sender>> = {
  'one without a token': () => 'none',
  'one with a garbage token': () => withToken('garbage'),
  'one with a token like ours': () => withToken(`drp_${'A'.repeat(43)}`),
  'one with a token like Google’s': () => withToken(`1//${'A'.repeat(60)}`),
  'one with the token of test environments': () => withToken(DEVELOPER),
  'one with the secret in clear': () => ({ authorization: SECRET }),
  'one whose token has expired at Google': () => {
    const token = server.google.grant(ADA);
    server.google.revoke(token);
    return withToken(token);
  },
  'one who was signed in and is revoked': async () => {
    const signedIn = await signIn(server.api, server.google, { email: 'left@example.com', verified: true });
    server.google.revoke(server.google.grants.at(-1) ?? '');
    return signedIn;
  },
  'one of another domain': () => withToken(server.google.grant({ ...ADA, email: 'ada@evilexample.com' })),
  'one of a domain below': () => withToken(server.google.grant({ ...ADA, email: 'ada@sub.example.com' })),
  'one whose address nobody verified': () => withToken(server.google.grant({ ...ADA, verified: false })),
};

const PEOPLE = ['ada', 'bob', 'upload'] as const;
type CallerName = 'nobody' | (typeof PEOPLE)[number];
const people: Partial<Record<string, Sender>> = {};

/** The whole error bodies by what stands in a cell. */
const REFUSALS: Record<string, { status: number; body: unknown }> = {
  unauthorized: { status: 401, body: ERRORS.unauthorized },
  forbidden: { status: 403, body: ownError('forbidden', 403) },
  missing: { status: 404, body: ERRORS.notFound },
  'no method': { status: 405, body: ownError('method_not_allowed', 405) },
  'oauth error': { status: 400, body: ERRORS.oauth },
};
/** The status of a success, or a name of a refusal. */
type Cell = number | keyof typeof REFUSALS;

interface Row {
  /** `:own` is an instance of Ada's, `:image` a ready image, `:spare` one that nobody needs. */
  line: string;
  body?: (image: number) => object;
  cells: Record<CallerName, Cell>;
}

const everybody = (cell: Cell): Row['cells'] => ({ nobody: cell, ada: cell, bob: cell, upload: cell });
const people200 = { nobody: 'unauthorized', ada: 200, bob: 200, upload: 200 };
const newImage = () => ({
  data: { type: 'images', attributes: { backed_up_at: '2026-05-01T12:00:00Z', anonymisation_script: '' } },
});
const newInstance = (image: number) => ({ data: { type: 'instances', attributes: { image_id: image } } });
const weakState = () => ({ data: { type: 'access_tokens', attributes: { state: 'weak' } } });
const uploadOnly = (status: number): Row['cells'] => ({
  nobody: 'unauthorized',
  ada: 'forbidden',
  bob: 'forbidden',
  upload: status,
});

const ROWS: Row[] = [
  { line: 'GET /health_check', cells: everybody(200) },
  { line: 'GET /images', cells: people200 },
  { line: 'GET /images/:image', cells: people200 },
  { line: 'GET /images/:spare', cells: people200 },
  { line: 'GET /images/999999999', cells: { ...everybody('missing'), nobody: 'unauthorized' } },
  { line: 'POST /images', body: newImage, cells: uploadOnly(201) },
  { line: 'POST /images/:image/done', cells: uploadOnly(200) },
  { line: 'POST /images/999999999/done', cells: { ...uploadOnly(0), upload: 'missing' } },
  { line: 'DELETE /images/:spare', cells: uploadOnly(204) },
  { line: 'DELETE /images/999999999', cells: { ...uploadOnly(0), upload: 'missing' } },
  { line: 'GET /instances', cells: people200 },
  {
    line: 'POST /instances',
    body: newInstance,
    cells: { nobody: 'unauthorized', ada: 201, bob: 201, upload: 201 },
  },
  {
    line: 'GET /instances/:own',
    cells: { nobody: 'unauthorized', ada: 200, bob: 'missing', upload: 'missing' },
  },
  { line: 'GET /instances/999999999', cells: { ...everybody('missing'), nobody: 'unauthorized' } },
  {
    line: 'DELETE /instances/:own',
    cells: { nobody: 'unauthorized', ada: 204, bob: 'missing', upload: 204 },
  },
  { line: 'DELETE /instances/999999999', cells: { ...everybody('missing'), nobody: 'unauthorized' } },
  { line: 'POST /access_tokens', body: weakState, cells: everybody('oauth error') },
  { line: 'GET /authenticate?state=:state', cells: everybody(302) },
  { line: 'GET /authenticate?state=weak', cells: everybody(400) },
  { line: 'GET /oauth_callback?state=:state&code=x', cells: everybody(400) },
  { line: 'PUT /images', cells: everybody('no method') },
  { line: 'DELETE /instances', cells: everybody('no method') },
  { line: 'GET /nothing', cells: everybody('missing') },
];

let image = 0;
let spare = 0;
let own = 0;

beforeAll(async () => {
  image = inject('e2e').imageId;
  people.ada = await signIn(server.api, server.google, ADA);
  people.bob = await signIn(server.api, server.google, BOB);
  people.upload = 'upload';
});

/** Puts there what a former cell has destroyed. */
async function prepare(): Promise<void> {
  if (!(await server.api.listImageIds(people.ada)).includes(spare)) {
    spare = (await server.api.createImage('')).id;
  }
  if (!(await server.api.listInstanceIds(people.ada)).includes(own)) {
    own = (await server.api.createInstance(image, people.ada)).id;
  }
}

/** All there is, in the records and on the host. */
async function readEverything(): Promise<unknown> {
  const ids = (table: string): string => `ARRAY(SELECT id || status FROM ${table} ORDER BY id)`;
  return [await queryMetadata(`SELECT ${ids('images')}, ${ids('instances')}`), await readHostState()];
}

async function ask({ line, body }: Row, as: Sender): Promise<Answer> {
  const names = { image, spare, own, state: createState() };
  const filled = Object.entries(names).reduce(
    (text, [name, value]) => text.replace(`:${name}`, String(value)),
    line,
  );
  const [method = '', path = ''] = filled.split(' ');
  return server.api.send(method, path, { as, ...(body && { body: body(image) }) });
}

/** One row for some who have the same cell: they are answered alike, and if they are refused, nothing changes. */
async function check(row: Row, cell: Cell, senders: Sender[]): Promise<void> {
  await prepare();
  const isRefused = typeof cell !== 'number';
  const before = isRefused && (await readEverything());
  for (const as of senders) {
    const answer = await ask(row, as);
    const refusal = REFUSALS[cell];
    if (refusal) expectAnswer(answer, refusal);
    else expect([answer.status, answer.text]).toEqual([cell, answer.text]);
    expect(answer.headers['draupnir-version']).toBe(VERSION);
  }
  expect(isRefused && (await readEverything())).toEqual(before);
}

describe.each(ROWS)('$line', (row) => {
  it.each(PEOPLE)('by %s', async (name) => {
    await check(row, row.cells[name], [people[name] ?? 'none']);
  });

  it('by nobody, however they try', async () => {
    const senders: Sender[] = [];
    for (const make of Object.values(NOBODIES)) senders.push(await make());
    await check(row, row.cells.nobody, senders);
  });
});

describe('the lists', () => {
  it('hold the own instances and nobody else’s', async () => {
    await prepare();
    const theirs = await server.api.createInstance(image, people.bob);
    const uploads = await server.api.createInstance(image, 'upload');
    const lists = await Promise.all(PEOPLE.map((name) => server.api.listInstanceIds(people[name])));
    expect(lists[0]).toContain(own);
    expect(lists[1]).toContain(theirs.id);
    expect(lists[2]).toContain(uploads.id);
    expect(new Set(lists.flat()).size).toBe(lists.flat().length);
  });
});
