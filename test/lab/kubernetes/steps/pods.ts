/** Deployments become pods, pods get interfaces through the CNI. */
import { cyan, pad } from '../../terminal.ts';
import type { Verdict } from '../../verdict.ts';
import type { KubernetesLab } from '../lab.ts';
import { nameOf, type Pod } from '../objects.ts';

const POD_SUBNET = '10.32.0.0/12';

export async function pods(lab: KubernetesLab, { section, judge }: Verdict): Promise<void> {
  section(`Web servers in three namespaces: pods with addresses of ${POD_SUBNET} on two compute appliances`);
  await lab.apply('webservers.yaml');
  for (const namespace of ['default', 'ns-non-isolated', 'ns-isolated']) {
    for (const pod of await lab.readyPods(namespace, 'app=webserver', 1)) judge(isOfPods(pod.status.podIP), described(pod));
  }

  section('A pod with two interfaces');
  await lab.apply('multi-interface-pod.yaml');
  const [pod] = await lab.readyPods('default', '', 1, 'two-interfaces');
  judge(isOfPods(pod!.status.podIP), described(pod!));
  const interfaces = JSON.parse(lab.run(pod!, 'ip', ['-json', '-4', 'addr', 'show', 'scope', 'global'])) as { ifname: string; addr_info: { local: string; prefixlen: number }[] }[];
  for (const [device, network] of [['eth0', '10.32.'], ['left', '10.10.10.']] as const) {
    const [address] = interfaces.find(({ ifname }) => ifname === device)?.addr_info ?? [];
    judge(address?.local.startsWith(network) === true, `${pad(device, 6)} ${address ? cyan(`${address.local}/${address.prefixlen}`) : 'has no address'}`);
  }
  const routes = lab.run(pod!, 'ip', ['-4', 'route']).trim().split('\n').filter((line) => line.startsWith('default'));
  judge(routes.length === 1 && routes[0]!.includes('dev eth0'), `one default route, by eth0: ${routes.join('; ') || 'there is none'}`);
}

function isOfPods(address = ''): boolean {
  const [first, second] = address.split('.').map(Number);
  return first === 10 && second! >= 32 && second! < 48;
}

function described(pod: Pod): string {
  return `${pad(nameOf(pod), 44)} ${pad(cyan(pod.status.podIP ?? '–'), 12)} on ${pod.spec.nodeName ?? '–'}`;
}
