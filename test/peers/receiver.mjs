// A receiver of webhooks, for tests, benchmarks and the demo.
//
//	node receiver.mjs --log FILE [--secrets FILE] [--port N] [--tls KEY CERT]
//	node receiver.mjs --count [--port N]
//
// It listens on 127.0.0.1, says "listening PORT", and ends with its standard input.
// What a URL's path says is what happens: /<scenario>/<name>?<options>
//	ok				200
//	slow?ms=N		200 after N milliseconds
//	status?code=N	that status; after=TEXT: with Retry-After
//	flaky?n=N		500 to the first N requests of each webhook-id, then 200
//	redirect?to=P	302 to the path P of this receiver
//	large?bytes=N	200 and that many bytes
//	headers?bytes=N	200 and a header of that many bytes
//	hang			no answer
//	drip			200, and a byte a tenth of a second for ever
//	drop			the connection is closed
//	garbage			what is not HTTP
// A request's line in the log: name, webhook-id, "valid" with the positions of the
// secrets of that name that verify it, "invalid" or "-", length, moment in ms,
// type and, with &echo, the payload. --secrets: lines "name secret", read for each
// request. --count logs nothing and says how many requests there were at the end.
//
// Signatures are verified by the package standardwebhooks, where it is installed,
// else by the few lines below.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createHmac, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';

const options = {};
for (let rest = process.argv.slice(2); rest.length > 0;) {
	const name = rest.shift().replace(/^--/, '');
	options[name] = name === 'count' ? true : name === 'tls' ? rest.splice(0, 2) : rest.shift();
}

function verifyByHand(secret, body, headers) {
	const [id, sentAt, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headers[name]);
	if (Math.abs(Date.now() / 1000 - Number(sentAt)) > 300) throw new Error('timestamp');
	const expected = createHmac('sha256', Buffer.from(secret.replace('whsec_', ''), 'base64'))
		.update(`${id}.${sentAt}.`).update(body).digest();
	const given = signatures.split(' ').filter((s) => s.startsWith('v1,')).map((s) => Buffer.from(s.slice(3), 'base64'));
	if (!given.some((s) => s.length === expected.length && timingSafeEqual(s, expected))) throw new Error('signature');
}

const library = await import('standardwebhooks').catch(() => null);
const verify = library ? (secret, body, headers) => new library.Webhook(secret).verify(body, headers) : verifyByHand;

function judge(name, body, headers) {
	if (!options.secrets || !existsSync(options.secrets)) return '-';
	const secrets = readFileSync(options.secrets, 'utf8').split('\n').map((line) => line.split(' '))
		.filter(([owner]) => owner === name).map(([, secret]) => secret);
	const valid = [];
	secrets.forEach((secret, i) => {
		try {
			verify(secret, body, headers);
			valid.push(i + 1);
		} catch { /* not this one */ }
	});
	return secrets.length === 0 ? '-' : valid.length > 0 ? `valid${valid.join('+')}` : 'invalid';
}

let count = 0;
const seen = new Map();

function answer(scenario, query, id, response) {
	const number = (name, otherwise) => Number(query.get(name) ?? otherwise);
	const ok = () => response.writeHead(200, { 'content-type': 'text/plain' }).end('thank you\n');
	switch (scenario) {
		case 'ok': return ok();
		case 'slow': return setTimeout(ok, number('ms', 10));
		case 'status':
			return response.writeHead(number('code', 500), query.has('after') ? { 'retry-after': query.get('after') } : {}).end('no\n');
		case 'flaky': {
			const attempt = (seen.get(id) ?? 0) + 1;
			seen.set(id, attempt);
			return attempt > number('n', 1) ? ok() : response.writeHead(500).end('not yet\n');
		}
		case 'redirect': return response.writeHead(302, { location: query.get('to') }).end();
		case 'large': {
			let left = number('bytes', 1 << 20);
			const more = () => {
				while (left > 0 && !response.destroyed) {
					const chunk = Buffer.alloc(Math.min(left, 65536), 'x');
					left -= chunk.length;
					if (!response.write(chunk)) return response.once('drain', more);
				}
				response.end();
			};
			response.writeHead(200);
			return more();
		}
		case 'headers':
			for (let i = 0, left = number('bytes', 1 << 20); left > 0; i++, left -= 1000)
				response.setHeader(`x-${i}`, 'x'.repeat(1000));
			return ok();
		case 'hang': return undefined;
		case 'drip': {
			response.writeHead(200);
			const timer = setInterval(() => response.write('x'), 100);
			return response.on('close', () => clearInterval(timer));
		}
		case 'drop': return response.socket.destroy();
		case 'garbage': return response.socket.end('hello, this is not HTTP\r\n\r\n');
		default: return response.writeHead(404).end();
	}
}

function receive(request, response) {
	const chunks = [];
	count++;
	request.on('data', (chunk) => chunks.push(chunk));
	request.on('error', () => { });
	request.on('end', () => {
		const url = new URL(request.url, 'http://localhost');
		const [, scenario, name] = url.pathname.split('/');
		const id = request.headers['webhook-id'];
		if (options.log) {
			const body = Buffer.concat(chunks);
			let type = '-';
			let data = '';
			try {
				const parsed = JSON.parse(body);
				type = parsed.type;
				if (url.searchParams.has('echo')) data = ' ' + JSON.stringify(parsed.data);
			} catch { /* logged as "-" */ }
			appendFileSync(options.log, `${name} ${id} ${judge(name, body, request.headers)} ${body.length} ${Date.now()} ${type}${data}\n`);
		}
		answer(scenario, url.searchParams, id, response);
	});
}

const server = options.tls
	? https.createServer({ key: readFileSync(options.tls[0]), cert: readFileSync(options.tls[1]) }, receive)
	: http.createServer({ maxHeaderSize: 65536 }, receive);
server.keepAliveTimeout = 60000;
server.listen(Number(options.port ?? 0), '127.0.0.1', 1024, () => {
	console.log(`listening ${server.address().port}`);
	if (options.log) console.error(library ? 'verified by standardwebhooks' : 'verified by hand');
});
process.stdin.resume().on('end', () => {
	if (options.count) console.log(`received ${count}`);
	process.exit();
});
