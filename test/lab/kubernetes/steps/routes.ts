import { cyan } from '../../terminal.ts';
import type { Verdict } from '../../verdict.ts';
import type { KubernetesLab } from '../lab.ts';
import { COMPUTES } from '../network.ts';

/** A floating IP's /32 as the gateway has it: tunnels to the compute appliances whose pods it leads to. */
export async function showRoutes(lab: KubernetesLab, address: string, { judge }: Verdict): Promise<void> {
  const found = await lab.gateway.hostRoute(address);
  if (!found) return judge(false, `${address}/32 is in no VRF of the gateway`);
  const { vrf, nexthop } = found;
  judge(COMPUTES.some(({ tunnel }) => nexthop['text']!.includes(tunnel)) || nexthop['kind'] === 'ecmp', `gateway: ${cyan(`${address}/32`)} in VRF ${vrf['name']} → ${nexthop['text']}`);
}
