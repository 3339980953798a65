/*
 * attempt.h
 *	  The log of attempts.
 */
#ifndef PLATFORM_WEBHOOK_ATTEMPT_H
#define PLATFORM_WEBHOOK_ATTEMPT_H

typedef struct WebhookAttempt
{
	pg_uuid_t	organization;
	pg_uuid_t	delivery;
	pg_uuid_t	subscription;
	int			attempt;
	const char *outcome;
	int			http_status;	/* 0: no answer */
	int			duration_ms;	/* -1: not known */
	const char *error;
	text	   *response_body;
} WebhookAttempt;

/* Once, from _PG_init. */
extern void platform_webhook_attempt_init(void);

extern void platform_webhook_log_attempts(const WebhookAttempt *attempts, int count,
										  TimestampTz now);

#endif							/* PLATFORM_WEBHOOK_ATTEMPT_H */
