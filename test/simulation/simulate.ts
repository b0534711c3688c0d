/**
 * Runs seeds of the simulation:
 *
 *   node test/simulation/simulate.ts --seeds 10000 --seed 1      from 1 on; stops at the first that fails, --all goes on
 *   node test/simulation/simulate.ts --replay 17 --verbose       that seed again, with all that happens in it
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulation.ts';

const { values: options } = parseArgs({
  options: { seeds: { type: 'string', default: '100' }, seed: { type: 'string', default: '1' }, replay: { type: 'string' }, verbose: { type: 'boolean', default: false }, all: { type: 'boolean', default: false } },
});

const first = Number(options.replay ?? options.seed);
const count = options.replay === undefined ? Number(options.seeds) : 1;
const failed: number[] = [];
let [versions, acknowledged, marks, events, slowest] = [0, 0, 0, 0, 0];
for (let seed = first; seed < first + count; seed++) {
  try {
    const result = await simulate(seed, options.verbose ? { tell: (line) => console.log(line) } : {});
    versions += result.versions;
    acknowledged += result.acknowledged;
    marks += result.marks;
    events += result.events;
    slowest = Math.max(slowest, result.convergedMs);
  } catch (error) {
    failed.push(seed);
    console.error((error as Error).message);
    if (options.verbose) console.error((error as Error).cause);
    if (!options.all) break;
  }
  if ((seed - first + 1) % 500 === 0) console.log(`${seed - first + 1} seeds, ${failed.length} failed`);
}
console.log(`${count} seeds from ${first}: ${failed.length === 0 ? 'none failed' : `failed: ${failed.join(', ')}`}; ${versions} versions, ${acknowledged} acknowledgements, ${marks} states compared, ${events} lines of trace; slowest convergence ${slowest} ms`);
process.exitCode = failed.length > 0 ? 1 : 0;
