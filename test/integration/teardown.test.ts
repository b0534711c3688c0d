// needs: netns
// limit: 240 s
//
// Nothing of a lab outlives it: not after Ctrl-C, not after a kill.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Namespaces } from '../lab/netns.ts';

const START = fileURLToPath(new URL('../lab/start.ts', import.meta.url));

/** A lab of its own process, once its output has come to `until`. */
async function start(until: string): Promise<ChildProcess & { pid: number }> {
  const child = spawn(process.execPath, [START], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk) => {
      output += String(chunk);
      if (output.includes(until)) resolve();
    });
    child.once('exit', (code) => reject(new Error(`ended with exit code ${code} before "${until}":\n${output}`)));
  });
  return child as ChildProcess & { pid: number };
}

function namespacesOf(pid: number): string[] {
  return readdirSync('/run/netns').filter((name) => name.startsWith(`wr-${pid}-`));
}

/** Those of the processes that still run. */
function processesOf(pids: number[]): number[] {
  return pids.filter((pid) => {
    try {
      return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    } catch {
      return false;
    }
  });
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter((text) => text !== '').map(Number);
}

test('Ctrl-C in the live view takes processes and namespaces away', async () => {
  const child = await start('live from here on');
  const children = childrenOf(child.pid);
  assert.ok(children.length >= 5, 'controller, two dataplanes, two agents');
  child.kill('SIGINT');
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.is(code, 0);
  assert.equal(namespacesOf(child.pid), []);
  assert.equal(processesOf(children), []);
});

test('Ctrl-C while it comes up takes them away as well', async () => {
  const child = await start('a wire for each pod');
  const children = childrenOf(child.pid);
  child.kill('SIGINT');
  await once(child, 'exit');
  assert.equal(namespacesOf(child.pid), []);
  await gone(children);
});

test('a killed lab leaves no process, and its namespaces to the next one', async () => {
  const child = await start('a wire for each pod');
  const children = childrenOf(child.pid);
  child.kill('SIGKILL');
  await once(child, 'exit');
  await gone(children);
  assert.ok(namespacesOf(child.pid).length > 0);
  new Namespaces().close();
  assert.equal(namespacesOf(child.pid), []);
});

/** Killed processes take a moment to go. */
async function gone(pids: number[]): Promise<void> {
  for (let waited = 0; waited < 5_000 && processesOf(pids).length > 0; waited += 20) await sleep(20);
  assert.equal(processesOf(pids), []);
}

test.run();
