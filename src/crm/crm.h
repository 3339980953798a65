/*
 * crm.h
 *	  What the files of this module share.
 *
 *	triggers.c		what rows must keep to, whoever writes them
 *	agents.c		who answers a number, and how it came to be
 *	leads.c			leads from calls, their locks
 *	import.c		leads from lists
 *	deals.c			deals and commissions
 *	appointments.c	booking, moving, cancelling
 *	reminders.c		reminders to be sent
 *	tracking.c		where somebody is
 */
#ifndef PLATFORM_CRM_H
#define PLATFORM_CRM_H

#include "core/module.h"
#include "core/phone.h"

extern PlatformModule platform_crm_module;

/* The organization of the argument, which the caller may act for: 22004, 42501. */
extern pg_uuid_t *platform_crm_organization(FunctionCallInfo fcinfo, int argument);

#endif							/* PLATFORM_CRM_H */
