/** Who reaches whom across namespaces. */
import { cyan, green, pad, red } from '../../terminal.ts';
import type { Verdict } from '../../verdict.ts';
import type { KubernetesLab } from '../lab.ts';
import type { Pod } from '../objects.ts';

const PINGS = 3;

export async function ping(lab: KubernetesLab, { section, judge }: Verdict): Promise<void> {
  section('Who reaches whom, by ping');
  await lab.api.kubectl('scale', '-n', 'ns-isolated', 'deployment', 'webserver', '--replicas=2');
  const [open] = await lab.readyPods('default', 'app=webserver', 1) as [Pod];
  const [other] = await lab.readyPods('ns-non-isolated', 'app=webserver', 1) as [Pod];
  const [first, second] = await lab.readyPods('ns-isolated', 'app=webserver', 2) as [Pod, Pod];
  await lab.live();
  const every: [Pod, string, string, boolean][] = [
    [open, other.status.podIP!, 'default → ns-non-isolated', true],
    [other, open.status.podIP!, 'ns-non-isolated → default', true],
    [open, first.status.podIP!, 'default → ns-isolated', false],
    [other, first.status.podIP!, 'ns-non-isolated → ns-isolated', false],
    [first, open.status.podIP!, 'ns-isolated → default', false],
    [second, other.status.podIP!, 'ns-isolated → ns-non-isolated', false],
    [first, second.status.podIP!, 'within ns-isolated, replicas=2', true],
    [second, first.status.podIP!, 'and back', true],
  ];
  const results = await Promise.all(every.map(([from, to]) => lab.hostOf(from).ping(to, PINGS, 100)));
  for (const [at, [, to, what, passes]] of every.entries()) {
    const { received } = results[at]!;
    judge(received === (passes ? PINGS : 0), `${pad(what, 32)} ${pad(cyan(to), 12)} ${received > 0 ? green('passes') : red('does not pass')}${passes || received > 0 ? ` (${received} of ${PINGS})` : ', as it must'}`);
  }
}
