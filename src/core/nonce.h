/*
 * nonce.h
 *	  Random nonces, drawn from a small buffer of the process.
 */
#ifndef PLATFORM_NONCE_H
#define PLATFORM_NONCE_H

/* At most 64 bytes, given out once; also after a fork of the process. */
extern void platform_draw_nonce(uint8 *nonce, size_t length);

/*
 * 24 bytes for XAES under the key with that number.  Up to 256 in a row for one key
 * begin with the same 12 bytes.
 */
extern void platform_draw_long_nonce(int32 key_id, uint8 *nonce);

#endif							/* PLATFORM_NONCE_H */
