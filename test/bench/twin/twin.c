/*
 * The C twin: the translated core over the same 4 GiB memory map, at its true addresses. This program itself is position
 * independent, so the kernel puts it far above 4 GiB and address = pointer. It obeys one command a line on stdin:
 *
 *   image BYTES            then BYTES of (u64 address, u64 length, bytes)...: a fresh memory with just these regions
 *   call NAME ARG...       an export of the core or the harness; answers "RESULT NANOSECONDS"
 *   passes COUNT FIRST FRAMES POOL ROUNDS SWEEP
 *                          COUNT times: evict if SWEEP, refill FRAMES frames of the pool of POOL from FIRST on, call run(0) ROUNDS
 *                          times (this alone is timed; if SWEEP, from the second on), drain; answers a line of COUNT nanoseconds
 *   end
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ARENA_START 0x10000ul
#define ARENA_END 0x100000000ul

struct export {
  const char *name;
  uint64_t (*call)(const uint64_t *arguments);
};

/* Made by build.ts: every export of the core and of the harness. */
extern const struct export exports[];
uint32_t core_run(uint32_t lcore);
uint32_t harness_refill(uint32_t first, uint32_t count);
uint32_t harness_drain(void);
void harness_sweep(void);

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* CPU time of this thread, as on the other side. */
static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void freshMemory(void) {
  const size_t length = ARENA_END - ARENA_START;
  void *memory = mmap((void *)ARENA_START, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (memory == MAP_FAILED) fail("mmap of the memory at its true addresses");
  madvise(memory, length, MADV_HUGEPAGE);
}

static void readFully(void *to, size_t bytes) {
  if (fread(to, 1, bytes, stdin) != bytes) fail("image");
}

static void readImage(uint64_t left) {
  freshMemory();
  while (left != 0) {
    uint64_t region[2];
    readFully(region, sizeof region);
    readFully((void *)region[0], region[1]);
    left -= sizeof region + region[1];
  }
  puts("ok");
}

static void callExport(char *arguments) {
  char *name = strtok(arguments, " ");
  for (const struct export *e = exports; e->name != NULL; e++) {
    if (name == NULL || strcmp(e->name, name) != 0) continue;
    uint64_t values[8] = {0};
    char *text;
    for (int i = 0; i < 8 && (text = strtok(NULL, " ")) != NULL; i++) values[i] = strtoull(text, NULL, 10);
    const uint64_t start = now();
    const uint64_t result = e->call(values);
    const uint64_t end = now();
    printf("%llu %llu\n", (unsigned long long)result, (unsigned long long)(end - start));
    return;
  }
  fprintf(stderr, "no export %s\n", name == NULL ? "" : name);
  exit(1);
}

static void passes(uint32_t count, uint32_t first, uint32_t frames, uint32_t pool, uint32_t rounds, int evict) {
  for (uint32_t pass = 0; pass < count; pass++) {
    if (evict) harness_sweep();
    if (harness_refill(first, frames) != frames) fail("a fill ring ran empty");
    first = (first + frames) % pool;
    uint32_t i = 0;
    if (evict) for (; i < 1; i++) core_run(0);
    const uint64_t start = now();
    for (; i < rounds; i++) core_run(0);
    const uint64_t end = now();
    harness_drain();
    printf("%llu ", (unsigned long long)(end - start));
  }
  puts("");
}

int main(void) {
  char line[256];
  freshMemory();
  while (fgets(line, sizeof line, stdin) != NULL) {
    unsigned long long bytes;
    uint32_t count, first, frames, pool, rounds;
    int evict;
    line[strcspn(line, "\n")] = 0;
    if (sscanf(line, "image %llu", &bytes) == 1) readImage(bytes);
    else if (strncmp(line, "call ", 5) == 0) callExport(line + 5);
    else if (sscanf(line, "passes %u %u %u %u %u %d", &count, &first, &frames, &pool, &rounds, &evict) == 6) passes(count, first, frames, pool, rounds, evict);
    else if (strcmp(line, "end") == 0) return 0;
    else {
      fprintf(stderr, "unknown command: %s\n", line);
      return 1;
    }
    fflush(stdout);
  }
  return 0;
}
