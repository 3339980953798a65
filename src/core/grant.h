/*
 * grant.h
 *	  Member roles: what they may call and read.
 */
#ifndef PLATFORM_GRANT_H
#define PLATFORM_GRANT_H

/*
 * Gives every recorded member role (platform.member_roles) what the catalogue
 * platform.member_privileges lists and what exists by now; roles that are gone
 * are passed over.  The caller has opened SPI and is the owner of the tables.
 * Returns the number of roles.
 */
extern int	platform_grant_members(void);

#endif							/* PLATFORM_GRANT_H */
