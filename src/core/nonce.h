/*
 * nonce.h
 *	  Random nonces, drawn from a small buffer of the process.
 */
#ifndef PLATFORM_NONCE_H
#define PLATFORM_NONCE_H

/* At most 64 bytes, given out once; also after a fork of the process. */
extern void platform_draw_nonce(uint8 *nonce, size_t length);

#endif							/* PLATFORM_NONCE_H */
