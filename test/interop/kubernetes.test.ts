// needs: netns, kubernetes, gcc
// limit: 420 s
//
// The chapter's YAML by kubectl on a real API server, and what packets then do: namespaces and their networks' names, pods through the CNI,
// who reaches whom, a pod's floating IP. The steps are those of `npm run lab:kubernetes`.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KubernetesLab } from '../lab/kubernetes/lab.ts';
import { floatingIp } from '../lab/kubernetes/steps/floating-ip.ts';
import { names } from '../lab/kubernetes/steps/names.ts';
import { ping } from '../lab/kubernetes/steps/ping.ts';
import { pods } from '../lab/kubernetes/steps/pods.ts';
import { Verdict } from '../lab/verdict.ts';

const test = suite('kubernetes');
let lab: KubernetesLab;
let failed = true;

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
test.before(async () => {
  lab = await KubernetesLab.open();
});
test.after(async () => {
  await lab?.close({ keep: failed });
});

for (const [what, step, checks] of [
  ['namespaces and networks have Contrail\'s names', names, 8], ['pods have their interfaces', pods, 7], ['who reaches whom', ping, 8], ['a pod\'s floating IP', floatingIp, 5],
] as const) {
  test(what, async () => {
    const lines: string[] = [];
    const verdict = new Verdict((line) => lines.push(line));
    await step(lab, verdict);
    assert.equal(verdict.failed, [], lines.join('\n'));
    assert.is(verdict.passed, checks, 'every check was made');
    failed = step !== floatingIp;
  });
}

test.run();
