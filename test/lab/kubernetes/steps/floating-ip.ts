/** A floating IP of a pod: the pod annotated with a pool, reached from the Internet, and known by that address there. */
import { cyan, pad } from '../../terminal.ts';
import type { Verdict } from '../../verdict.ts';
import type { KubernetesLab } from '../lab.ts';
import { until } from '../until.ts';
import { showRoutes } from './routes.ts';

const PREFIX = '101.101.101.';
const PINGS = 10;

export async function floatingIp(lab: KubernetesLab, verdict: Verdict): Promise<void> {
  const { section, judge } = verdict;
  section('A floating IP for a pod');
  await lab.apply('pools.yaml');
  await lab.apply('floating-ip-pod.yaml');
  const [pod] = await lab.readyPods('ns-user-1', '', 1, 'with-floating-ip');
  const given = await until('a floating IP', async () => (await lab.list('floating-ip')).map(({ floatingIp }) => floatingIp).find((each) => (
    each?.address.startsWith(PREFIX) && each.virtualMachineInterfaces.some((name) => name.includes(pod!.metadata.uid!))))).catch(() => undefined);
  judge(given !== undefined, `ns-user-1/with-floating-ip ${pod!.status.podIP} ⇄ ${cyan(given?.address ?? 'none')}`);
  if (!given) return;
  await lab.live();
  await showRoutes(lab, given.address, verdict);
  const { internet } = lab.network;
  for (const [host, to, what] of [[internet, given.address, 'internet → the pod'], [lab.hostOf(pod!), internet.address, 'the pod → internet']] as const) {
    const { received } = await host.ping(to, PINGS, 50);
    judge(received === PINGS, `${pad(what, 20)} ${pad(cyan(to), 16)} ${received} of ${PINGS} answered`);
  }
  const stop = await internet.serve(8080);
  const { peer, intact } = await lab.hostOf(pod!).send(internet.address, 8080, 1 << 20).finally(stop);
  judge(intact && peer === given.address, `1 MiB from the pod arrives whole, and comes from ${cyan(peer)}`);
}
