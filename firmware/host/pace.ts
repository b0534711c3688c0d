/**
 * When an lcore that found nothing waits for more before it kicks and sleeps. Waiting means running again, which costs processor time; a
 * system call for few packets costs more. Where the kernel receives on the lcore's own processor, nothing can come while the lcore waits:
 * that is seen, and then it kicks and sleeps at once. The bench's twin (test/bench/twin/lcore.c) has the same rules in C.
 */

/** Longest wait for more packets, while they come densely: what a batch costs in latency. */
export const LINGER_US = 50;
/** Dense: more than so many packets a microsecond, smoothed. */
export const DENSE_PER_US = 0.08;
export const SMOOTHING = 0.25;
/** Waiting goes on while at least this share of it, smoothed, ended with a packet. */
export const WORTH_WAITING = 0.5;
/** Where it does not, every so many-th time is tried nevertheless. */
export const TRY_EVERY = 256;

export class Pace {
  /** Packets a microsecond, and since when its next value is counted. */
  #rate = 0;
  #packets = 0;
  #countedSinceUs = 0;
  #lastPacketUs = 0;
  #lingering = false;
  #worth = 1;
  #passedOver = 0;

  /** A run brought packets. */
  arrived(packets: number, nowUs: number): void {
    if (this.#lingering) this.#lingered(nowUs - this.#lastPacketUs < LINGER_US ? 1 : 0);
    this.#packets += packets;
    this.#lastPacketUs = nowUs;
  }

  /** A run brought none: is it worth waiting for the next packet? */
  lingers(nowUs: number): boolean {
    if (this.#rate <= DENSE_PER_US) return false;
    if (nowUs - this.#lastPacketUs >= LINGER_US) {
      if (this.#lingering) this.#lingered(0);
      return false;
    }
    if (!this.#lingering && this.#worth < WORTH_WAITING && ++this.#passedOver % TRY_EVERY !== 0) return false;
    this.#lingering = true;
    return true;
  }

  /** Comes with every kick and before every sleep. */
  measure(nowUs: number): void {
    const elapsed = nowUs - this.#countedSinceUs;
    if (elapsed < 1) return;
    this.#rate += SMOOTHING * (this.#packets / elapsed - this.#rate);
    this.#packets = 0;
    this.#countedSinceUs = nowUs;
  }

  #lingered(success: 0 | 1): void {
    this.#lingering = false;
    this.#worth += SMOOTHING * (success - this.#worth);
  }
}
