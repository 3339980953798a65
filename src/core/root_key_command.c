/*
 * root_key_command.c
 *	  Root keys from a command, with an end to waiting for it.
 *
 * The command is a process group of its own, so that all of it can be ended.
 * What it writes to standard error goes where the server's own does. Its output
 * is read straight into key memory.
 */
#include "core/platform.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "core/root_key.h"

extern char **environ;

/* How often a wait looks for cancellation. */
#define SLICE_MS 50

typedef enum CommandEnd
{
	COMMAND_DONE,
	COMMAND_TOO_LONG,
	COMMAND_TOO_MUCH,
	COMMAND_INTERRUPTED
} CommandEnd;

/* %v becomes the version that is wanted, or latest; %% a percent sign. */
static char *
expand_command(const char *command, int32 version)
{
	StringInfoData text;

	initStringInfo(&text);
	for (const char *c = command; *c; c++)
	{
		if (c[0] == '%' && c[1] == 'v')
		{
			if (version == 0)
				appendStringInfoString(&text, "latest");
			else
				appendStringInfo(&text, "%d", version);
			c++;
		}
		else if (c[0] == '%' && c[1] == '%')
		{
			appendStringInfoChar(&text, '%');
			c++;
		}
		else
			appendStringInfoChar(&text, *c);
	}
	return text.data;
}

/* Starts it with its standard output in the pipe; an errno when that fails. */
static int
start_command(const char *command, const int *ends, pid_t *process)
{
	char	   *const arguments[] = {"sh", "-c", unconstify(char *, command), NULL};
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t	none;
	sigset_t	all;
	int			result;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&files, ends[0]);
	posix_spawn_file_actions_addclose(&files, ends[1]);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
							 POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	result = posix_spawn(process, "/bin/sh", &files, &attributes, arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&files);
	return result;
}

/* May it go on? */
static CommandEnd
watch(TimestampTz deadline)
{
	if (QueryCancelPending || ProcDiePending)
		return COMMAND_INTERRUPTED;
	return GetCurrentTimestamp() >= deadline ? COMMAND_TOO_LONG : COMMAND_DONE;
}

/* Reads to the end of the output, and waits for the end of the command. */
static CommandEnd
collect(int output, pid_t process, TimestampTz deadline, PlatformRootKeyText *text, int *status)
{
	CommandEnd	end = COMMAND_DONE;
	bool		open = true;

	text->length = 0;
	while (open && (end = watch(deadline)) == COMMAND_DONE)
	{
		struct pollfd wanted = {.fd = output, .events = POLLIN};
		ssize_t		got;

		if (poll(&wanted, 1, SLICE_MS) <= 0)
			continue;
		if (text->length == sizeof(text->bytes))
			return COMMAND_TOO_MUCH;
		got = read(output, text->bytes + text->length, sizeof(text->bytes) - text->length);
		if (got > 0)
			text->length += got;
		else
			open = got < 0 && errno == EINTR;
	}
	while (end == COMMAND_DONE && waitpid(process, status, WNOHANG) == 0)
	{
		pg_usleep(1000);
		end = watch(deadline);
	}
	return end;
}

static const char *
end_text(CommandEnd end, int status, int timeout)
{
	switch (end)
	{
		case COMMAND_TOO_LONG:
			return psprintf("It did not end within %d s.", timeout);
		case COMMAND_TOO_MUCH:
			return "It printed more than 16 kB.";
		case COMMAND_INTERRUPTED:
			return "It was interrupted.";
		case COMMAND_DONE:
			break;
	}
	if (WIFEXITED(status))
		return psprintf("It ended with exit code %d.", WEXITSTATUS(status));
	return "It was ended by a signal.";
}

bool
platform_root_key_run_command(const char *command, int timeout, int32 version,
							  PlatformRootKeyText *text, PlatformKeyFault *fault)
{
	static const char message[] = "command of platform.root_key_command failed";
	const char *expanded = expand_command(command, version);
	TimestampTz deadline = GetCurrentTimestamp() + timeout * USECS_PER_SEC;
	CommandEnd	end;
	pid_t		process;
	int			ends[2];
	int			status = 0;
	int			failed;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return platform_key_fault(fault, KEY_NO_ROOT_KEY, message, strerror(errno), NULL);
	failed = start_command(expanded, ends, &process);
	close(ends[1]);
	if (failed != 0)
	{
		close(ends[0]);
		return platform_key_fault(fault, KEY_NO_ROOT_KEY, message, strerror(failed), NULL);
	}

	end = collect(ends[0], process, deadline, text, &status);
	close(ends[0]);
	if (end != COMMAND_DONE)
	{
		kill(-process, SIGKILL);
		while (waitpid(process, &status, 0) < 0 && errno == EINTR)
			 /* again */ ;
		CHECK_FOR_INTERRUPTS();
	}
	if (end != COMMAND_DONE || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return platform_key_fault(fault, KEY_NO_ROOT_KEY, message,
								  end_text(end, status, timeout),
								  "The server's log has what it wrote to standard error.");
	return true;
}
