// What other queues do with node: node webhook_peers.mjs FOLDER DATABASE ASK...
//	install				makes their tables and a queue
//	pg-boss ROWS		fetches and completes ROWS jobs by 100, 4 at a time: jobs a second
//	graphile-worker ROWS	runs ROWS jobs that do nothing, 4 runners: jobs a second
import { createRequire } from 'node:module';

const [folder, database, ask, count] = process.argv.slice(2);
const require = createRequire(`${folder}/x.js`);
const rows = Number(count);
const connection = { host: process.env.PGHOST, port: Number(process.env.PGPORT ?? 5432), user: process.env.PGUSER, database };
const pg = require('pg');

async function boss() {
	const PgBoss = require('pg-boss');
	const b = new (PgBoss.default ?? PgBoss)({ ...connection, max: 8, supervise: false, schedule: false });
	b.on('error', () => {});
	await b.start();
	await b.createQueue('q');
	return b;
}

const graphile = require('graphile-worker');
const pool = new pg.Pool({ ...connection, max: 12 });
pool.on('error', () => {});

if (ask === 'install') {
	await (await boss()).stop({ graceful: false });
	await graphile.runMigrations({ pgPool: pool });
} else if (ask === 'pg-boss') {
	const b = await boss();
	await pool.query('DELETE FROM pgboss.job');
	await pool.query(`INSERT INTO pgboss.job (name, data) SELECT 'q', '{"a": 1}' FROM generate_series(1, ${rows})`);
	const began = Date.now();
	let done = 0;
	await Promise.all([1, 2, 3, 4].map(async () => {
		for (;;) {
			const jobs = await b.fetch('q', { batchSize: 100 });
			if (!jobs?.length) break;
			await b.complete('q', jobs.map(job => job.id));
			done += jobs.length;
		}
	}));
	console.log(Math.round(done / (Date.now() - began) * 1000));
	await b.stop({ graceful: false });
} else {
	await pool.query('DELETE FROM graphile_worker._private_jobs');
	await pool.query(`SELECT count(graphile_worker.add_job('x', '{"a": 1}')) FROM generate_series(1, ${rows})`);
	const began = Date.now();
	const quiet = new graphile.Logger(() => () => {});
	await Promise.all([1, 2, 3, 4].map(() =>
		graphile.runOnce({ pgPool: pool, logger: quiet, taskList: { x: async () => {} } })));
	console.log(Math.round(rows / (Date.now() - began) * 1000));
}
await pool.end();
process.exit(0);
