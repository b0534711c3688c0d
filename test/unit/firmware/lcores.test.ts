// limit: 60
// An lcore's worker that cannot even start is tried again with pauses: no storm of threads.
import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { instantiate, loadCore } from '../../../firmware/host/core.ts';
import { Lcores } from '../../../firmware/host/lcores.ts';
import { createMemory } from '../../../firmware/host/memory.ts';

const RESTARTS = 3;

test('workers that end at once follow each other after a pause', async () => {
  const views = createMemory();
  const { module } = loadCore();
  let ended = 0;
  const log = pino({ hooks: { logMethod: (_args, _method, level) => { if (level === pino.levels.values['error']) ended++; } } });
  const program = new URL('data:text/javascript,throw new Error("no start")');
  const lcores = new Lcores({ views, module, core: instantiate(module, views.memory), count: 1, cores: [], busyPoll: false, program, log });
  const started = performance.now();
  lcores.start();
  while (lcores.status()[0]!.restarts < RESTARTS) await sleep(20);
  const elapsed = performance.now() - started;
  await lcores.stop();
  assert.ok(elapsed > RESTARTS * 900, `${RESTARTS} restarts within ${elapsed} ms`);
  // Of the lcore, the first and one a restart; of the spares, one a second and one that follows every take-over.
  assert.ok(ended <= 4 * (RESTARTS + 1), `${ended} workers ended`);
});

test.run();
