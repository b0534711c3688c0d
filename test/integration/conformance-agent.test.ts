// needs: linux
// limit: 300 s
/**
 * The agent against recorded event streams (sync/recordings/agent/*.jsonl): what a controller and a dataplane say is played to the
 * real agent process, and what it sends to either must be what the recording has, in its order.
 *
 *   REWRITE=1 node test/integration/conformance-agent.test.ts      records anew: read the difference before you commit it
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Scene, until } from './agent/scene.ts';
import { Scripted, type Side } from './agent/scripted.ts';

const FOLDER = fileURLToPath(new URL('./sync/recordings/agent/', import.meta.url));
const REWRITE = process.env['REWRITE'] === '1';
/** While recording: how long the agent may think. */
const QUIET_MS = 700;

/** A line: a comment, what the dataplane's state is from now on, what a neighbour does, or what the agent must do. */
type Line =
  | { comment: string }
  | { state: object }
  | { in: Side; message?: unknown; hex?: string; end?: 'end' | 'cut' }
  | { out: Side; message?: unknown; end?: string };

async function play(script: Scripted, lines: readonly Line[]): Promise<Line[]> {
  const taken: Record<Side, number> = { controller: 0, dataplane: 0 };
  const recorded: Line[] = [];
  const record = (): void => {
    for (const side of ['controller', 'dataplane'] as const) {
      while (taken[side] < script.sent[side].length) recorded.push({ out: side, ...script.sent[side][taken[side]++] } as Line);
    }
  };
  for (const [at, line] of lines.entries()) {
    if ('out' in line) {
      if (REWRITE) continue;
      const { out: side, ...expected } = line;
      await until(() => script.sent[side].length > taken[side], () => `line ${at + 1}: the agent sends ${JSON.stringify(expected)} to the ${side}; it sent ${JSON.stringify(script.sent)}`);
      assert.equal(script.sent[side][taken[side]++], expected, `line ${at + 1}`);
      continue;
    }
    if (REWRITE && recorded.some((each) => 'state' in each)) {
      await sleep(QUIET_MS);
      record();
    }
    recorded.push(line);
    if ('state' in line) script.state = line.state;
    if (!('in' in line)) continue;
    if (line.end) script.end(line.in, line.end);
    else script.say(line.in, line);
  }
  await sleep(REWRITE ? QUIET_MS : 100);
  record();
  return recorded;
}

for (const file of readdirSync(FOLDER).filter((name) => name.endsWith('.jsonl')).sort()) {
  test(basename(file, '.jsonl'), async () => {
    const lines = readFileSync(FOLDER + file, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Line);
    const scene = await Scene.set();
    const script = new Scripted();
    try {
      const first = lines.findIndex((line) => 'state' in line);
      script.state = (lines[first] as { state: object }).state;
      await script.start(scene.socket, scene.folder);
      scene.startAgent(`127.0.0.1:${script.port}`);
      await until(() => script.sent.controller.length > 0, () => `the agent greets; it said ${scene.log}`);
      const more = await play(script, lines);
      if (REWRITE) writeFileSync(FOLDER + file, more.map((line) => `${JSON.stringify(line)}\n`).join(''));
      else assert.equal(more.filter((line) => 'out' in line), [], 'the agent sent more than was recorded');
    } finally {
      await scene.end();
      script.stop();
    }
  });
}

test.run();
