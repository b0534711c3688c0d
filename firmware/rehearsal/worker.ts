/** The thread of a rehearsal: the golden frames once for their outcome, then again and again until V8 runs the module's optimised code. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { instantiate } from '../host/core.ts';
import { loadGolden, rehearse, setStage } from './golden.ts';
import { WARM_UP_MS, type RehearsalResult } from './rehearse.ts';

// Of this thread alone, on Linux: lcores come first.
if (process.platform === 'linux') setPriority(0, 19);
const golden = loadGolden();
const stage = setStage(golden, (memory) => instantiate(workerData as WebAssembly.Module, memory));
let problem = '';
try {
  rehearse(golden, stage);
} catch (error) {
  problem = (error as Error).message;
}
const end = performance.now() + WARM_UP_MS;
const busiest = golden.steps.filter(({ in: frames }) => frames.length > 0);
while (problem === '' && performance.now() < end) {
  for (const { in: frames } of busiest) stage.forward(frames.map(([id, bytes]) => ({ interface: id, bytes: Buffer.from(bytes, 'base64') })));
}
parentPort?.postMessage({ problem, steps: golden.steps.length } satisfies RehearsalResult);
