/** Services that the Internet reaches: with a pool of their own, and with their namespace's. */
import { cyan, pad } from '../../terminal.ts';
import type { Verdict } from '../../verdict.ts';
import type { KubernetesLab } from '../lab.ts';
import { until } from '../until.ts';
import { showRoutes } from './routes.ts';

const SERVICES = [
  { name: 'service-web-lb-pool-public-1', pool: 'its own pool, pool-public-1', prefix: '198.51.100.' },
  { name: 'service-web-lb', pool: 'its namespace\'s pool, pool-ns-default', prefix: '101.101.101.' },
] as const;
const PORT = 8888;
const REPLICAS = 2;
const ASKS = 16;

export async function services(lab: KubernetesLab, verdict: Verdict): Promise<void> {
  const { section, judge } = verdict;
  section('Services of type LoadBalancer, asked from the Internet');
  await lab.apply('services.yaml');
  await lab.readyPods('ns-user-1', 'app=webserver', REPLICAS);
  for (const { name, pool, prefix } of SERVICES) {
    const ingress = async (): Promise<string | undefined> => (await lab.service('ns-user-1', name)).status.loadBalancer?.ingress?.[0]?.ip;
    const address = await until('an ingress address', ingress).catch(() => undefined);
    judge(address?.startsWith(prefix) === true, `${pad(name, 30)} has ${cyan(address ?? 'no address')}, of ${pool}`);
    if (address === undefined) continue;
    await lab.live();
    await showRoutes(lab, address, verdict);
    const answers = await lab.ask(lab.network.internet, `http://${address}:${PORT}/`, ASKS);
    const [answered, who] = [answers.filter((answer) => answer !== null), new Set(answers.flatMap((answer) => answer?.name ?? []))];
    judge(answered.length === ASKS, `${answered.length} of ${ASKS} connections to ${cyan(`${address}:${PORT}`)} are answered`);
    judge(who.size === REPLICAS, `by ${who.size} of ${REPLICAS} pods: ${[...who].sort().join(', ')}`);
    judge(answered.length > 0 && answered.every(({ from }) => from === lab.network.internet.address), `who see the Internet's own address: ${[...new Set(answered.map(({ from }) => from))].join(', ')}`);
  }
}
