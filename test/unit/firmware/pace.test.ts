// When an lcore waits for more packets: only while they come densely, never longer than LINGER_US after the last, and not where waiting brings nothing.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LINGER_US, Pace, TRY_EVERY } from '../../../firmware/host/pace.ts';

/** Packets at an even distance, measured as an lcore does, until the rate is settled; the time of the last. */
function feed(pace: Pace, gapUs: number, fromUs = 0): number {
  let now = fromUs;
  for (let i = 0; i < 100; i++) {
    now += gapUs;
    pace.arrived(1, now);
    pace.measure(now);
  }
  return now;
}

/** The lcore waits as long as it is let, and nothing comes. @returns when it went to sleep */
function waitInVain(pace: Pace, fromUs: number): number {
  let now = fromUs;
  while (pace.lingers(now)) now += 1;
  return now;
}

test('sparse packets are not waited for', () => {
  const pace = new Pace();
  const now = feed(pace, 100);
  assert.is(pace.lingers(now + 1), false);
});

test('dense packets are waited for, but not for ever', () => {
  const pace = new Pace();
  const now = feed(pace, 2);
  assert.is(waitInVain(pace, now + 1), now + LINGER_US);
});

test('where waiting brings nothing it is given up, tried now and then, and taken up again when it pays', () => {
  const pace = new Pace();
  let now = feed(pace, 2);
  for (let i = 0; i < 10; i++) now = feed(pace, 2, waitInVain(pace, now));
  let tries = 0;
  for (let i = 0; i < 4 * TRY_EVERY; i++) {
    const slept = waitInVain(pace, now + 1);
    if (slept > now + 1) tries++;
    now = slept + LINGER_US;
    pace.arrived(200, now);
    pace.measure(now);
  }
  assert.is(tries, 4);

  let waited = 0;
  for (let i = 0; i < 40 * TRY_EVERY; i++) {
    if (pace.lingers(now + 1)) waited++;
    now += 3; // the packet comes while the lcore waits
    pace.arrived(1, now);
    pace.measure(now);
  }
  assert.ok(waited > 20 * TRY_EVERY, `waited ${waited} times`);
});

test.run();
