/*
 * The CNI plugin: passes its environment and its standard input on to the appliance's agent, prints the answer, and ends with its exit
 * code. The logic is the agent's (mgmt/agent/cni); this only starts fast. Where there is no agent, it says so in CNI's form.
 *
 * VERSION_ANSWER is what the agent would answer to VERSION, which must be answered without it too: mgmt/cni/build.ts defines it.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/wrouter/cni.sock"
#define MAX_REQUEST (4 << 20)

static const char *const NAMES[] = {"CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH"};

/* A path in a JSON string: what JSON does not take as it is becomes "?". */
static void print_quoted(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < 0x20 || *text == '"' || *text == '\\' ? '?' : *text);
}

/* CNI's codes: 50 = not available (STATUS), 11 = try again later. */
static int fail(const char *command, const char *what, const char *path, int error)
{
	printf("{\n  \"cniVersion\": \"1.1.0\",\n  \"code\": %d,\n  \"msg\": \"the appliance's agent does not answer\",\n  \"details\": \"%s ", strcmp(command, "STATUS") == 0 ? 50 : 11, what);
	print_quoted(path);
	printf(": %s\"\n}\n", error ? strerror(error) : "it hung up without an answer");
	return 1;
}

static int send_all(int fd, const void *bytes, size_t length)
{
	for (const char *at = bytes; length > 0;) {
		ssize_t sent = send(fd, at, length, MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return -1;
		at += sent;
		length -= (size_t)sent;
	}
	return 0;
}

/* Reads to the end, into memory of its own. Returns the length, -1 on failure. */
static ssize_t read_all(int fd, char **into, size_t used)
{
	size_t room = used + 65536;
	char *buffer = realloc(*into, room);
	while (buffer) {
		*into = buffer;
		ssize_t got = read(fd, buffer + used, room - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -1 : (ssize_t)used;
		used += (size_t)got;
		if (used > MAX_REQUEST) {
			errno = EMSGSIZE;
			return -1;
		}
		if (used == room)
			buffer = realloc(buffer, room *= 2);
	}
	errno = ENOMEM;
	return -1;
}

int main(void)
{
	const char *path = getenv("WROUTER_CNI_SOCKET");
	const char *command = getenv("CNI_COMMAND");
	if (!path || !*path)
		path = DEFAULT_SOCKET;
	if (!command)
		command = "";
	if (strcmp(command, "VERSION") == 0) {
		puts(VERSION_ANSWER);
		return 0;
	}

	/* The environment, a zero byte behind each variable and one more at its end; then the input. */
	size_t length = 0;
	for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
		const char *value = getenv(NAMES[i]);
		if (value)
			length += strlen(NAMES[i]) + strlen(value) + 2;
	}
	char *request = malloc(length + 1), *at = request;
	if (!request)
		return fail(command, "memory for", "the request", ENOMEM);
	for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
		const char *value = getenv(NAMES[i]);
		if (value)
			at += sprintf(at, "%s=%s", NAMES[i], value) + 1;
	}
	*at++ = 0;
	ssize_t whole = read_all(STDIN_FILENO, &request, (size_t)(at - request));
	if (whole < 0)
		return fail(command, "reading", "standard input", errno);

	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof address.sun_path)
		return fail(command, "connecting to", path, ENAMETOOLONG);
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		return fail(command, "connecting to", path, errno);
	uint32_t size = (uint32_t)whole;
	unsigned char head[4] = {size & 255, size >> 8 & 255, size >> 16 & 255, size >> 24};
	if (send_all(fd, head, sizeof head) < 0 || send_all(fd, request, size) < 0)
		return fail(command, "asking", path, errno);

	char *answer = NULL;
	ssize_t got = read_all(fd, &answer, 0);
	if (got < 0)
		return fail(command, "hearing from", path, errno);
	char *line = memchr(answer, '\n', (size_t)got);
	if (!line)
		return fail(command, "hearing from", path, 0);
	line++;
	if (fwrite(line, 1, (size_t)(got - (line - answer)), stdout) != (size_t)(got - (line - answer)) || fflush(stdout) != 0)
		return 1;
	return atoi(answer);
}
