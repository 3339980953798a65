/*
 * webhooks.mjs
 *	  The providers' own clients for signed webhooks.
 *
 * Bodies come as base64 of UTF-8. sign_* answers the header (or headers), verify_*
 * whether the client takes the request.
 */
import { createPrivateKey, createPublicKey, sign as signWith, verify as verifyWith } from 'node:crypto';
import { sign as signGithub, verify as verifyGithub } from '@octokit/webhooks-methods';
import { Webhook as StandardWebhook } from 'standardwebhooks';
import { Webhook as SvixWebhook } from 'svix';
import Stripe from 'stripe';
import twilio from 'twilio';
import { parse as parseQuery, stringify as stringifyQuery } from 'node:querystring';
import { symmetric as retell } from 'retell-sdk/lib/webhook_auth';

const stripe = new Stripe('sk_test_of_nobody');
const text = (body) => Buffer.from(body, 'base64').toString('utf8');

/* Refusals are thrown by some clients. */
function accepted(run) {
	try {
		run();
		return true;
	} catch (error) {
		return false;
	}
}

/* standardwebhooks and svix: the clock is theirs, so requests are of now. */
function standard(Webhook, prefix) {
	return {
		sign: ({ secret, id, timestamp, body }) =>
			new Webhook(secret).sign(id, new Date(timestamp * 1000), text(body)),
		verify: ({ secret, id, timestamp, body, signature }) =>
			accepted(() => new Webhook(secret).verify(text(body), {
				[`${prefix}-id`]: id,
				[`${prefix}-timestamp`]: String(timestamp),
				[`${prefix}-signature`]: signature,
			}, { jsonParse: false })),
	};
}
const standardClient = standard(StandardWebhook, 'webhook');
const svixClient = standard(SvixWebhook, 'svix');

/* No client of Standard Webhooks for JavaScript knows Ed25519: node's own. */
function ed25519(seed) {
	const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seed, 'base64')]);
	return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}
const signedText = ({ id, timestamp, body }) =>
	Buffer.concat([Buffer.from(`${id}.${timestamp}.`), Buffer.from(body, 'base64')]);

export default {
	sign_standard_webhook: standardClient.sign,
	verify_standard_webhook: standardClient.verify,
	sign_svix_webhook: svixClient.sign,
	verify_svix_webhook: svixClient.verify,

	sign_ed25519_webhook: (request) =>
		`v1a,${signWith(null, signedText(request), ed25519(request.secret)).toString('base64')}`,
	verify_ed25519_webhook: (request) =>
		verifyWith(null, signedText(request), createPublicKey(ed25519(request.secret)),
			Buffer.from(request.signature.replace('v1a,', ''), 'base64')),
	ed25519_public_key: ({ secret }) =>
		createPublicKey(ed25519(secret)).export({ format: 'der', type: 'spki' }).subarray(-32).toString('base64'),

	sign_stripe_webhook: ({ secret, timestamp, body }) =>
		stripe.webhooks.generateTestHeaderString({ payload: text(body), secret, timestamp }),
	verify_stripe_webhook: ({ secret, timestamp, body, signature }) =>
		accepted(() => stripe.webhooks.signature.verifyHeader(text(body), signature, secret, 300, undefined, timestamp * 1000)),

	sign_github_webhook: ({ secret, body }) => signGithub(secret, text(body)),
	verify_github_webhook: ({ secret, body, signature }) => verifyGithub(secret, text(body), signature),

	sign_retell_webhook: ({ secret, timestamp, body }) => retell.sign(text(body), secret, timestamp * 1000),
	verify_retell_webhook: ({ secret, timestamp, body, signature }) =>
		retell.verify(text(body), secret, signature, { timestamp: timestamp * 1000 }),

	/* params: the form as an object whose values are texts or lists of texts */
	sign_twilio_webhook: ({ secret, url, params }) => twilio.getExpectedTwilioSignature(secret, url, params),
	verify_twilio_webhook: ({ secret, url, params, signature }) => twilio.validateRequest(secret, signature, url, params),
	/* the spellings of a URL that the client tries, by node's own parsers */
	twilio_spellings: ({ url }) => {
		const full = new URL(url);
		const bare = new URL(url);
		bare.port = '';
		/* the part before the path, which is the first slash after the scheme's two */
		const origin = /^[^/]*\/\/[^/]*/.exec(full.href)[0];
		const withPort = full.port ? full.href :
			`${origin}:${full.protocol === 'https:' ? 443 : 80}${full.pathname}${full.search}${full.hash}`;
		const spellings = [bare.href, withPort];
		for (const spelling of [bare, full]) {
			if (spelling.search) {
				const query = stringifyQuery(parseQuery(spelling.search.slice(1)));
				const rest = new URL(spelling);
				rest.search = '';
				spellings.push(`${rest.href}?${query}`);
			}
		}
		return spellings;
	},

	/* answers the URL with the body's hash, and its signature */
	sign_twilio_json_webhook: ({ secret, url, body }) => {
		const signedUrl = `${url}${url.includes('?') ? '&' : '?'}bodySHA256=${twilio.getExpectedBodyHash(text(body))}`;
		return [signedUrl, twilio.getExpectedTwilioSignature(secret, signedUrl, {})];
	},
	verify_twilio_json_webhook: ({ secret, url, body, signature }) =>
		twilio.validateRequestWithBody(secret, signature, url, text(body)),
};
