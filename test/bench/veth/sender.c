/*
 * A traffic source that is not the bottleneck: sends prepared frames out of one device, past the queueing discipline.
 *
 *   sender DEVICE CPU SECONDS RATE < frames
 *
 * Frames come on stdin, each u32 length (little-endian) and its bytes. They are sent in turn, 64 in a system call, on one CPU, for so
 * many seconds, RATE packets a second (0 = as fast as it goes). Answers "SENT NANOSECONDS".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define MAX_FRAMES 65536
#define MAX_LENGTH 2048
#define BATCH 64

static struct iovec frames[MAX_FRAMES];
static struct mmsghdr messages[BATCH];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static unsigned readFrames(void) {
  unsigned count = 0;
  uint32_t length;
  while (count < MAX_FRAMES && fread(&length, sizeof length, 1, stdin) == 1) {
    if (length == 0 || length > MAX_LENGTH) fail("frame length");
    frames[count].iov_base = malloc(length);
    frames[count].iov_len = length;
    if (fread(frames[count].iov_base, 1, length, stdin) != length) fail("frame");
    count++;
  }
  return count;
}

static int openDevice(const char *device) {
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) fail("socket");
  const int on = 1;
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) != 0) fail("PACKET_QDISC_BYPASS");
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = 0, .sll_ifindex = (int)if_nametoindex(device)};
  if (address.sll_ifindex == 0) fail(device);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("bind");
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: sender DEVICE CPU SECONDS RATE < frames\n");
    return 2;
  }
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(atoi(argv[2]), &cpus);
  if (sched_setaffinity(0, sizeof cpus, &cpus) != 0) fail("sched_setaffinity");

  const unsigned count = readFrames();
  if (count < BATCH) {
    fprintf(stderr, "sender: %u frames, at least %d are needed\n", count, BATCH);
    return 2;
  }
  const int fd = openDevice(argv[1]);
  const uint64_t rate = strtoull(argv[4], NULL, 10);
  const uint64_t start = now();
  const uint64_t end = start + (uint64_t)(atof(argv[3]) * 1e9);
  uint64_t sent = 0;
  unsigned next = 0;
  for (uint64_t time = start; time < end; time = now()) {
    if (rate != 0 && sent > (time - start) * (double)rate / 1e9) continue;
    for (unsigned i = 0; i < BATCH; i++) {
      messages[i].msg_hdr.msg_iov = &frames[next];
      messages[i].msg_hdr.msg_iovlen = 1;
      next = next + 1 == count ? 0 : next + 1;
    }
    const int n = sendmmsg(fd, messages, BATCH, 0);
    if (n < 0 && errno != ENOBUFS && errno != EAGAIN) fail("sendmmsg");
    if (n > 0) sent += (unsigned)n;
  }
  printf("%llu %llu\n", (unsigned long long)sent, (unsigned long long)(now() - start));
  return 0;
}
