/*
 * tokens.mjs
 *	  Clients for signed tokens: jose, jsonwebtoken and Twilio's.
 *
 * Keys come as base64: of a secret, or of the 32 bytes of an Ed25519 private key
 * to sign, public key to verify.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { SignJWT, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import twilio from 'twilio';

const { AccessToken } = twilio.jwt;
const bytes = (base64) => Buffer.from(base64, 'base64');
const privateDer = '302e020100300506032b657004220420';
const publicDer = '302a300506032b6570032100';

function joseKey(key, algorithm, forSigning) {
	if (algorithm !== 'EdDSA')
		return bytes(key);
	return forSigning
		? createPrivateKey({ key: Buffer.concat([Buffer.from(privateDer, 'hex'), bytes(key)]), format: 'der', type: 'pkcs8' })
		: createPublicKey({ key: Buffer.concat([Buffer.from(publicDer, 'hex'), bytes(key)]), format: 'der', type: 'spki' });
}

/* The grants of a request, each by its name here. */
const grants = {
	voice: AccessToken.VoiceGrant,
	video: AccessToken.VideoGrant,
	chat: AccessToken.ChatGrant,
};

export default {
	jose_sign: ({ claims, key, algorithm }) =>
		new SignJWT(claims).setProtectedHeader({ alg: algorithm, typ: 'JWT' }).sign(joseKey(key, algorithm, true)),
	jose_verify: async ({ token, key, algorithm, audience, issuer, now, leeway }) =>
		(await jwtVerify(token, joseKey(key, algorithm, false), {
			algorithms: [algorithm], audience, issuer, clockTolerance: leeway ?? 0,
			currentDate: now === undefined ? undefined : new Date(now * 1000),
		})).payload,

	jsonwebtoken_sign: ({ claims, key, algorithm }) =>
		jsonwebtoken.sign(claims, bytes(key), { algorithm, noTimestamp: claims.iat === undefined }),
	jsonwebtoken_verify: ({ token, key, algorithm, audience, issuer, now, leeway }) =>
		jsonwebtoken.verify(token, bytes(key), {
			algorithms: [algorithm], audience, issuer, clockTolerance: leeway ?? 0, clockTimestamp: now,
		}),

	/*
	 * The header and the claims of Twilio's token. It asks the clock twice, for jti
	 * and iat, so the clock stands still meanwhile.
	 */
	twilio_access_token: ({ account, key, secret, options, algorithm, add, now }) => {
		const token = new AccessToken(account, key, secret, options);
		for (const [name, values] of Object.entries(add))
			token.addGrant(new grants[name](values));
		const clock = Date.now;
		Date.now = () => now * 1000;
		try {
			const { header, payload } = jsonwebtoken.decode(token.toJwt(algorithm), { complete: true });
			return { header, payload };
		} finally {
			Date.now = clock;
		}
	},
};
