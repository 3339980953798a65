/*
 * peers.mjs
 *	  Asks real clients: requests on standard input, answers on standard output.
 *
 * A request is a line of JSON: {"ask": "<name>", ...arguments}. Its answer is
 * the line {"answer": ...}, or {"error": "..."} when the client throws; answers
 * come in the order of the requests. The names are those of the functions that
 * the other *.mjs files of this folder export as default.
 */
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { webcrypto } from 'node:crypto';

/* Node 18 has it, but not there. */
globalThis.crypto ??= webcrypto;

const folder = new URL('.', import.meta.url);
const clients = {};
const programs = ['peers.mjs', 'receiver.mjs'];
for (const file of readdirSync(folder).sort()) {
	if (file.endsWith('.mjs') && !programs.includes(file))
		Object.assign(clients, (await import(new URL(file, folder))).default);
}

/* Waits when the reader is slower. */
function print(answer) {
	return process.stdout.write(JSON.stringify(answer) + '\n') ? undefined
		: new Promise((resume) => process.stdout.once('drain', resume));
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
	const request = JSON.parse(line);
	if (!(request.ask in clients))
		throw new Error(`no client answers "${request.ask}"`);
	let answer;
	try {
		answer = { answer: (await clients[request.ask](request)) ?? null };
	} catch (error) {
		answer = { error: String(error.message ?? error) };
	}
	await print(answer);
}
