/**
 * `npm run lab:kubernetes` (root): a Kubernetes API server, kube-manager, the controller, a gateway and two compute appliances; the YAML of
 * examples/kubernetes applied by kubectl, and what must come of it judged; then it stays until Ctrl-C.
 *
 *   npm run lab:kubernetes -- --once     ends after that, with exit code 0 if all held
 */
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { missingNeeds } from '../../needs.ts';
import { bold, dim, green, pad, red } from '../terminal.ts';
import { chapter } from './chapter.ts';
import { isBuilt } from './build.ts';
import { KubernetesLab } from './lab.ts';

const { values: options } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
const say = (line: string): void => console.log(line);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // Asked a second time, or before all is up: at once. What must go goes on exit.
    if (stop.signal.aborted || !staying) process.exit(130);
    stop.abort();
  });
}
let staying = false;

const missing = missingNeeds(new Set(['netns', 'etcd'])).values().next().value;
if (missing) {
  say(red(`lab:kubernetes ${missing.reason}`));
  process.exit(1);
}
const started = performance.now();
say(bold('wrouter and Kubernetes: what an operator says by kubectl, packets do'));
if (!isBuilt()) say(dim('kube-apiserver is built first, once, from Debian\'s source: minutes'));
say('');
let lab: KubernetesLab;
try {
  lab = await KubernetesLab.open((what, seconds) => say(`  ${green('✔')} ${pad(what, 42)} ${dim(`${seconds.toFixed(2)} s`)}`));
} catch (error) {
  say(`  ${red('✘')} ${(error as Error).message}`);
  process.exit(1);
}
const { passed, failed } = await chapter(lab, say);
say('');
const seconds = ((performance.now() - started) / 1000).toFixed(1);
if (failed.length === 0) say(green(bold(`all ${passed} checks hold, after ${seconds} s`)));
else {
  say(red(bold(`${failed.length} of ${passed + failed.length} checks do not hold`)));
  for (const line of failed) say(red(`  ${line}`));
  say(dim(`logs and states are kept in ${lab.directory}`));
}
if (!options.once) {
  staying = true;
  say('');
  say(dim('Up until Ctrl-C. From another terminal:'));
  say(`  kubectl --kubeconfig ${lab.api.kubeconfig} get pods,services -A`);
  say(`  WROUTER_CONTEXT=${lab.contextFile} npm run -s wrouter -- get virtual-network`);
  await sleep(2 ** 31 - 1, undefined, { signal: stop.signal }).catch(() => {});
}
await lab.close({ keep: failed.length > 0 });
process.exit(failed.length === 0 ? 0 : 1);
