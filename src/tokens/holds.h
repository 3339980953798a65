/*
 * holds.h
 *	  Holds whose time is over: what burning asks of holds.c.
 */
#ifndef PLATFORM_TOKENS_HOLDS_H
#define PLATFORM_TOKENS_HOLDS_H

#include "tokens/ledger.h"

/* Ends them, those of calls too; the account at hand is locked. */
extern void platform_holds_settle(Ledger *ledger);

#endif							/* PLATFORM_TOKENS_HOLDS_H */
