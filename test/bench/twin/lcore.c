/*
 * The lcore's loop in C, on the memory of a dataplane process: word for word what firmware/host/lcore.ts does for AF_XDP queues, with the
 * translated core in place of the WebAssembly one. Same rules when to kick and to sleep, same system calls, same statistics.
 */
#define _GNU_SOURCE
#include "arena.h"
#include "constants.h"
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* As firmware/host/lcore.ts. */
enum { MAX_SERVED = 64, KICK_AFTER = 256, SLEEP_MS = 100, SHORT_SLEEP_MS = 1 };

/* Filled by lcore.ts of this folder; addresses are of the process. */
struct lcore {
  uint64_t base;
  int32_t *words;
  double *statistics;
  struct pollfd *polled; /* the eventfd first */
  const int32_t *queues; /* index and socket of each */
  uint32_t lcore, polledCount, queueCount, unused;
};

/* As firmware/host/pace.ts. */
struct pace {
  double rate, packets, countedSince, lastPacket, worth;
  bool lingering;
  uint32_t passedOver;
};

static void lingered(struct pace *p, double success) {
  p->lingering = false;
  p->worth += SMOOTHING * (success - p->worth);
}

static void arrived(struct pace *p, uint32_t packets, double now) {
  if (p->lingering) lingered(p, now - p->lastPacket < LINGER_US);
  p->packets += packets;
  p->lastPacket = now;
}

static bool lingers(struct pace *p, double now) {
  if (p->rate <= DENSE_PER_US) return false;
  if (now - p->lastPacket >= LINGER_US) {
    if (p->lingering) lingered(p, 0);
    return false;
  }
  if (!p->lingering && p->worth < WORTH_WAITING && ++p->passedOver % TRY_EVERY != 0) return false;
  p->lingering = true;
  return true;
}

static void measure(struct pace *p, double now) {
  const double elapsed = now - p->countedSince;
  if (elapsed < 1) return;
  p->rate += SMOOTHING * (p->packets / elapsed - p->rate);
  p->packets = 0;
  p->countedSince = now;
}

struct loop {
  struct lcore *l;
  uint64_t scratch;
  /* Where a kick is noted as needed, and the ring's ends: by position in `queues`. */
  uint32_t flags[MAX_SERVED], producer[MAX_SERVED], consumer[MAX_SERVED];
  bool unkicked[MAX_SERVED];
  uint32_t unkickedPackets;
  double unkickedSince;
  struct pace pace;
};

uint32_t core_run(uint32_t lcore);

static inline uint32_t *word(uint64_t address) { return (uint32_t *)(arena + address); }
static inline int32_t get(int32_t *at) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); }

static double writeClock(struct loop *loop) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  const uint64_t now = (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
  *(uint64_t *)(arena + loop->scratch + LC_NOW_US) = now;
  return (double)now;
}

static void setState(struct loop *loop, uint32_t state) { __atomic_store_n(word(loop->scratch + LC_STATE), state, __ATOMIC_SEQ_CST); }

static bool waiting(struct loop *loop, uint32_t i) {
  return __atomic_load_n(word(loop->producer[i]), __ATOMIC_SEQ_CST) != __atomic_load_n(word(loop->consumer[i]), __ATOMIC_SEQ_CST);
}

static bool kickAll(struct loop *loop) {
  bool left = false;
  loop->unkickedPackets = 0;
  for (uint32_t i = 0; i < loop->l->queueCount; i++) {
    if (!loop->unkicked[i]) continue;
    bool more = false;
    if ((*word(loop->flags[i]) & 1) != 0) {
      loop->l->statistics[S_KICKS]++;
      const ssize_t sent = sendto(loop->l->queues[2 * i + 1], NULL, 0, MSG_DONTWAIT, NULL, 0);
      more = sent == -1 && (errno == EAGAIN || errno == EBUSY || errno == ENOBUFS) && waiting(loop, i);
    }
    loop->unkicked[i] = more;
    left |= more;
  }
  return left;
}

static void collectKicks(struct loop *loop, uint32_t packets, double now) {
  const uint32_t count = *word(loop->scratch + LC_KICK_COUNT);
  if (count == 0) return;
  const uint16_t *list = (const uint16_t *)word(loop->scratch + LC_KICKS);
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t q = 0; q < loop->l->queueCount; q++) loop->unkicked[q] |= loop->l->queues[2 * q] == list[i];
  }
  if (loop->unkickedPackets == 0) loop->unkickedSince = now;
  loop->unkickedPackets += packets > 1 ? packets : 1;
}

static bool configured(const struct lcore *l) { return l->words[B_CONFIG] == l->words[B_CONFIG_SEEN]; }

static void sleepUntilWork(struct loop *loop, bool framesLeft) {
  struct lcore *l = loop->l;
  __atomic_store_n(&l->words[B_SLEEP], POLLING, __ATOMIC_SEQ_CST);
  const double now = writeClock(loop);
  const uint32_t packets = core_run(l->lcore);
  l->statistics[S_RUNS]++;
  collectKicks(loop, packets, now);
  if (packets > 0 || loop->unkickedPackets > 0 || !configured(l) || get(&l->words[B_STOP]) != 0) {
    l->statistics[S_PACKETS] += packets;
    __atomic_store_n(&l->words[B_SLEEP], AWAKE, __ATOMIC_SEQ_CST);
    return;
  }
  const bool held = *word(loop->scratch + LC_HELD_COUNT) > 0;
  setState(loop, LCORE_IDLE);
  l->statistics[S_POLLS]++;
  const int ready = poll(l->polled, l->polledCount, framesLeft || held ? SHORT_SLEEP_MS : SLEEP_MS);
  setState(loop, LCORE_RUNNING);
  __atomic_store_n(&l->words[B_SLEEP], AWAKE, __ATOMIC_SEQ_CST);
  uint64_t wakeUps;
  if (ready > 0 && l->polled[0].revents != 0 && read(l->polled[0].fd, &wakeUps, sizeof wakeUps) < 0) return; /* somebody else's wake-up: none pending */
}

static __attribute__((noinline)) void forward(struct lcore *l) {
  struct loop loop = {.l = l, .scratch = LCORES + ((uint64_t)l->lcore << LCORE_SHIFT), .pace.worth = 1};
  for (uint32_t i = 0; i < l->queueCount; i++) {
    const uint64_t record = QUEUES + ((uint64_t)l->queues[2 * i] << QUEUE_SHIFT) + Q_TX;
    loop.flags[i] = *word(record + R_FLAGS);
    loop.producer[i] = *word(record + R_PRODUCER);
    loop.consumer[i] = *word(record + R_CONSUMER);
    loop.unkicked[i] = true; /* whoever served it before may have left frames */
  }
  while (get(&l->words[B_STOP]) == 0 && configured(l)) {
    const double now = writeClock(&loop);
    const uint32_t packets = core_run(l->lcore);
    l->statistics[S_RUNS]++;
    if (packets > 0) {
      l->statistics[S_PACKETS] += packets;
      arrived(&loop.pace, packets, now);
    }
    collectKicks(&loop, packets, now);
    if (packets > 0 && loop.unkickedPackets < KICK_AFTER) continue;
    const bool waits = packets == 0 && lingers(&loop.pace, now);
    if (waits && (loop.unkickedPackets == 0 || now - loop.unkickedSince < LINGER_US)) continue;
    measure(&loop.pace, now);
    const bool left = kickAll(&loop);
    if (packets > 0 || waits) continue;
    sleepUntilWork(&loop, left);
  }
}

/* Forwards until the lcore is to stop or has a new configuration. */
__attribute__((visibility("default"))) void twinForward(struct lcore *l) {
  const unsigned long callers = arena;
  arena = l->base;
  forward(l);
  arena = callers;
}
