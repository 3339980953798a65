/*
 * authenticate.h
 *	  The session acts as the one whom a signed token names.
 */
#ifndef PLATFORM_AUTHENTICATE_H
#define PLATFORM_AUTHENTICATE_H

extern void platform_authenticate_init(void);

#endif							/* PLATFORM_AUTHENTICATE_H */
