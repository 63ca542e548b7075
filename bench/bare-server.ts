/**
 * bare-server.ts PORT HOST USER UID: what Fastify does without us. `/bare` answers a constant; `/query` sends the rows of one
 * query, that of `GET /images`. Ends when its stdin does.
 */
import fastify from 'fastify';
import pg from 'pg';

const [port, host, user, uid] = process.argv.slice(2);
// The database knows its user by the uid.
process.setuid?.(Number(uid));
const pool = new pg.Pool({ host, user, database: 'draupnir', max: 10 });
const app = fastify({ logger: false });

app.get('/bare', () => ({ status: 'ok' }));
app.get('/query', async () => {
  const { rows } = await pool.query(
    'SELECT id, backed_up_at, created_at, updated_at, status, failure, attempts FROM images ORDER BY id',
  );
  return { data: rows };
});

process.stdin.resume().on('end', () => process.exit());
await app.listen({ host: '127.0.0.1', port: Number(port) });
process.stdout.write('listening\n');
