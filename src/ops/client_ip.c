/*
 * client_ip.c
 *	  The address of a client behind proxies.
 *
 * Each proxy adds to X-Forwarded-For, on the right, the address that it was
 * called from; what stands left of what the own proxies wrote is the client's
 * invention. So the list is read from the right, as long as it is trusted.
 */
#include "core/platform.h"

#include <arpa/inet.h>
#include <ctype.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/inet.h"

#include "ops/ops.h"

PG_FUNCTION_INFO_V1(platform_client_ip);

typedef struct Networks
{
	Datum	   *values;
	bool	   *nulls;
	int			count;
} Networks;

static bool
is_trusted(Datum address, const Networks *networks)
{
	for (int i = 0; i < networks->count; i++)
		if (!networks->nulls[i] &&
			DatumGetBool(DirectFunctionCall2(network_subeq, address, networks->values[i])))
			return true;
	return false;
}

/*
 * An element of the list: an address, with or without a port, IPv6 in brackets
 * when it has one. False when it is none.
 */
static bool
parse_address(char *text, Datum *address)
{
	unsigned char buffer[sizeof(struct in6_addr)];
	char	   *end;

	while (isspace((unsigned char) *text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char) end[-1]))
		*--end = '\0';
	if (*text == '[')
	{
		text++;
		text[strcspn(text, "]")] = '\0';
	}
	else if (strchr(text, '.') != NULL && strchr(text, ':') == strrchr(text, ':'))
		text[strcspn(text, ":")] = '\0';
	if (inet_pton(AF_INET, text, buffer) != 1 && inet_pton(AF_INET6, text, buffer) != 1)
		return false;
	*address = DirectFunctionCall1(inet_in, CStringGetDatum(text));
	return true;
}

/*
 * platform.client_ip(remote_address inet, forwarded_for text,
 *		trusted_proxies inet[] DEFAULT '{}') returns inet
 *
 * Who called: remote_address, unless it is a trusted proxy; then the last
 * address of the header X-Forwarded-For that is none. An element that is no
 * address ends the search at the proxy that wrote it. What the client itself put
 * into the header never counts. NULL for a NULL remote_address. Members may
 * call it.
 */
Datum
platform_client_ip(PG_FUNCTION_ARGS)
{
	Networks	networks = {0};
	Datum		address;
	char	   *list;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	address = PG_GETARG_DATUM(0);
	if (PG_ARGISNULL(1) || PG_ARGISNULL(2))
		PG_RETURN_DATUM(address);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(2), INETOID, -1, false, TYPALIGN_INT,
					  &networks.values, &networks.nulls, &networks.count);
	list = text_to_cstring(PG_GETARG_TEXT_PP(1));

	while (is_trusted(address, &networks))
	{
		char	   *comma = strrchr(list, ',');

		if (!parse_address(comma != NULL ? comma + 1 : list, &address) || comma == NULL)
			break;
		*comma = '\0';
	}
	PG_RETURN_DATUM(address);
}
