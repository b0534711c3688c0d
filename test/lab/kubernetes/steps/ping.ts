/** Who reaches whom across namespaces, with the two exceptions that an isolated namespace has: nodes, and services of the default namespace. */
import { cyan, green, pad, red } from '../../terminal.ts';
import type { Verdict } from '../../verdict.ts';
import type { KubernetesLab } from '../lab.ts';
import type { Pod, Service } from '../objects.ts';
import { COMPUTES } from '../network.ts';

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

  section('What an isolated namespace reaches all the same, and what nobody reaches of it');
  await lab.api.kubectl('expose', '-n', 'default', 'deployment', 'webserver', '--port=80');
  await lab.api.kubectl('expose', '-n', 'ns-isolated', 'deployment', 'webserver', '--port=80');
  const [shared, own] = await Promise.all([lab.service('default', 'webserver'), lab.service('ns-isolated', 'webserver')]) as [Service, Service];
  await lab.backed('default', 'webserver', 1);
  await lab.backed('ns-isolated', 'webserver', 2);
  const asks: [Pod, Service, string, boolean][] = [
    [first, shared, 'ns-isolated → a service of default', true],
    [other, shared, 'ns-non-isolated → the same', true],
    [first, own, 'ns-isolated → its own service', true],
    [open, own, 'default → a service of ns-isolated', false],
  ];
  for (const [from, { spec: { clusterIP } }, what, passes] of asks) {
    const [answer] = await lab.ask(lab.hostOf(from), `http://${clusterIP}/`, 1);
    judge((answer !== null) === passes, `${pad(what, 36)} ${pad(cyan(clusterIP), 14)} ${answer ? `${green('answers')}: ${answer!.name}` : red('does not answer')}`);
  }
  const node = COMPUTES[0]!.tunnel;
  const { received } = await lab.hostOf(first).ping(node, PINGS, 100);
  judge(received === PINGS, `${pad('ns-isolated → a node', 36)} ${pad(cyan(node), 14)} ${received > 0 ? green('passes') : red('does not pass')}`);
}
