/**
 * `npm start`: a controller, a gateway and a compute appliance, an Internet host and two pods; the walk of a packet to a pod's floating
 * IP and back, done and judged; then a live view until Ctrl-C.
 *
 *   npm start -- --once      ends after the walk, with exit code 0 if all held
 *   npm start -- --sockets   without network namespaces, even as root
 */
import { parseArgs } from 'node:util';
import { drawing } from './drawing.ts';
import { Lab } from './lab.ts';
import { live } from './live.ts';
import { networkKind } from './network.ts';
import { bold, dim, green, pad, red } from './terminal.ts';
import { tour } from './tour.ts';

const { values: options } = parseArgs({ options: { once: { type: 'boolean', default: false }, sockets: { type: 'boolean', default: false } } });
const say = (line: string): void => console.log(line);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Asked a second time, or before there is anything to take down in order: at once. What must go goes on exit.
    if (stop.signal.aborted || !viewing) process.exit(130);
    stop.abort();
  });
}
let viewing = false;

const started = performance.now();
const { kind, reason } = options.sockets ? { kind: 'sockets' as const, reason: 'as asked' } : networkKind();
say(bold('wrouter: a packet reaches a pod\'s floating IP from the Internet and finds its way back'));
say(dim(kind === 'namespaces'
  ? 'network namespaces joined by veth pairs, the appliances on AF_XDP ports'
  : `the appliances on socket ports, hosts in TypeScript (no network namespaces: ${reason ?? ''})`));
say('');

let lab: Lab;
try {
  lab = await Lab.open({ kind }, (what, seconds) => say(`  ${green('✔')} ${pad(what, 36)} ${dim(`${seconds.toFixed(2)} s`)}`));
} catch (error) {
  say(`  ${red('✘')} ${(error as Error).message}`);
  if (kind === 'namespaces') say(dim('`npm start -- --sockets` does without namespaces and AF_XDP'));
  process.exit(1);
}
say('');
for (const line of drawing(lab)) say(line);
const { passed, failed } = await tour(lab, say);
say('');
const seconds = ((performance.now() - started) / 1000).toFixed(1);
if (failed.length === 0) say(green(bold(`all ${passed} checks hold, after ${seconds} s`)));
else {
  say(red(bold(`${failed.length} of ${passed + failed.length} checks do not hold`)));
  for (const line of failed) say(red(`  ${line}`));
  say(dim(`logs and states are kept in ${lab.directory}`));
}

if (!options.once) {
  viewing = true;
  say(dim('live from here on; Ctrl-C takes everything down'));
  await live(lab, stop.signal);
}
await lab.close({ keep: failed.length > 0 });
process.exit(failed.length === 0 ? 0 : 1);
