/**
 * The long run: `node test/fuzz/fuzz.ts --frames 1e9 --seed 1`. A world (random tables) lasts for `--world-frames` frames; a
 * failure names its seed, with which `--seed N --frames …` begins again.
 */
import { parseArgs } from 'node:util';
import { releaseMemory } from '../fixtures/release-memory.ts';
import { PacketFuzzer } from './packets.ts';

/** Fuzzes `frames` frames. @returns drop reasons and verdicts, summed over all worlds */
export function fuzz(frames: number, seed: number, worldFrames: number, report: (line: string) => void): Map<string, number> {
  const sums = new Map<string, number>();
  const started = performance.now();
  let total = 0;
  for (let world = seed; total < frames; world += 1) {
    releaseMemory();
    const fuzzer = new PacketFuzzer(world);
    while (fuzzer.sent < worldFrames && total + fuzzer.sent < frames) fuzzer.step();
    fuzzer.finish();
    total += fuzzer.sent;
    const { drops, ...totals } = fuzzer.core.totals();
    for (const [name, count] of [...Object.entries(totals), ...Object.entries(drops)]) sums.set(name, (sums.get(name) ?? 0) + count);
    report(`seed ${world}: ${total} frames, ${Math.round(total / (performance.now() - started))} thousand a second`);
  }
  return sums;
}

if (import.meta.main) {
  const { values: options } = parseArgs({
    options: {
      frames: { type: 'string', default: '1e7' },
      seed: { type: 'string', default: '1' },
      'world-frames': { type: 'string', default: '5e5' },
    },
  });
  const sums = fuzz(Number(options.frames), Number(options.seed), Number(options['world-frames']), (line) => console.log(line));
  for (const [name, count] of sums) console.log(`${name.padEnd(28)} ${count}`);
}
