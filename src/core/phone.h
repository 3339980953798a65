/*
 * phone.h
 *	  Telephone numbers in their international form (ITU-T E.164).
 */
#ifndef PLATFORM_PHONE_H
#define PLATFORM_PHONE_H

/* A plus sign, at most 15 digits, and the end of the string. */
#define PLATFORM_E164_SIZE		17

/* What a number without country code is read by when nobody says otherwise. */
#define PLATFORM_DEFAULT_REGION	"US"

typedef struct PlatformPhoneRegion PlatformPhoneRegion;

/*
 * Writes the number's international form and returns true; false when the text
 * is no telephone number.
 */
extern bool platform_normalize_phone(const char *text, size_t length,
									 const PlatformPhoneRegion *region, char *e164);

/* The region with that ISO 3166-1 code, in any case; NULL when there is none. */
extern const PlatformPhoneRegion *platform_phone_region(const char *code, size_t length);

/* The same for an argument: 22023 when there is none. */
extern const PlatformPhoneRegion *platform_require_phone_region(const text *code);

#endif							/* PLATFORM_PHONE_H */
