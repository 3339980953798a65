/*
 * history.h
 *	  Who changes a flag, and why: known to the writers, wanted by the triggers.
 */
#ifndef PLATFORM_FEATURES_HISTORY_H
#define PLATFORM_FEATURES_HISTORY_H

/*
 * Around a query that a setter runs as the owner: the triggers then name the
 * caller and the reason.  The server's abort handling clears it too.
 */
extern void platform_flag_change_begin(const char *reason);
extern void platform_flag_change_end(void);

/* For disabled_by: the caller's subject, else the role's name. */
extern const char *platform_flag_change_author(void);

extern void platform_flag_history_init(void);

#endif							/* PLATFORM_FEATURES_HISTORY_H */
