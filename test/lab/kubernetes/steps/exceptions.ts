/** The two exceptions of an isolated namespace: it reaches services of the default namespace, and nodes. Nobody reaches its own services. */
import { cyan, green, pad, red } from '../../terminal.ts';
import type { Verdict } from '../../verdict.ts';
import type { KubernetesLab } from '../lab.ts';
import { COMPUTES } from '../network.ts';
import type { Pod, Service } from '../objects.ts';

const PINGS = 3;

/** After `ping`, whose pods it asks. */
export async function exceptions(lab: KubernetesLab, { section, judge }: Verdict): Promise<void> {
  section('What an isolated namespace reaches all the same, and what nobody reaches of it');
  const [open] = await lab.readyPods('default', 'app=webserver', 1) as [Pod];
  const [other] = await lab.readyPods('ns-non-isolated', 'app=webserver', 1) as [Pod];
  const [first] = await lab.readyPods('ns-isolated', 'app=webserver', 2) as [Pod, Pod];
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
