import { expect, it } from 'vitest';
import { keepAllowedFields } from '../../../src/sentry/allowed-fields.ts';

it('an event that an integration has filled keeps the allowed fields alone', () => {
  const frame = { function: 'run', filename: 'draupnir', lineno: 1, module: 'draupnir', in_app: true };
  const kept = {
    type: undefined,
    event_id: '1',
    release: '5.4.0',
    exception: { values: [{ type: 'Error', value: 'round failed', stacktrace: { frames: [frame] } }] },
    tags: { error_id: 'round_failed' },
  };
  const filled = {
    ...kept,
    message: 'secret',
    user: { email: 'ada@example.com' },
    request: { url: '/images?secret', data: 'secret', headers: { authorization: 'secret' } },
    breadcrumbs: [{ message: 'secret' }],
    contexts: { runtime: { name: 'node' } },
    extra: { secret: 'secret' },
    modules: { pg: '8' },
    server_name: 'db1',
    tags: { ...kept.tags, secret: 'secret' },
    exception: {
      values: [
        {
          ...kept.exception.values[0],
          mechanism: { type: 'secret', data: { secret: 'secret' } },
          stacktrace: {
            frames: [{ ...frame, vars: { token: 'secret' }, context_line: 'secret', abs_path: '/home/ada' }],
          },
        },
      ],
    },
  };
  expect(keepAllowedFields(filled)).toStrictEqual(kept);
});
