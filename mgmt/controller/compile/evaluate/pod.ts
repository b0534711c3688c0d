/**
 * The pod that an interface is of, as its appliance tells the container runtime. kube-manager says it by annotations: of the virtual
 * machine kind=Pod, namespace, name and uid; of the interface `interface` (its name in the pod), `index` ("1/2") and, where this one is
 * to bear the default route, default-route=true.
 */
import type { Pod } from '../../../../proto/sync.ts';
import { formatAddress, formatPrefix, parseAddress } from '../../model/address.ts';
import type { Stored } from '../../model/kinds.ts';
import type { ObjectView } from '../../model/objects.ts';
import { subnetOf, subnetsOf } from '../../model/subnets.ts';

const INDEX = /^([1-9]\d{0,2})\/([1-9]\d{0,2})$/;

/** Undefined for the interface of anything else. Addresses in their order, the primary one first. */
export function podOf(vmi: Stored<'virtual-machine-interface'>, network: Stored<'virtual-network'>, addresses: readonly Stored<'instance-ip'>[], mtu: number, view: ObjectView): Pod | undefined {
  const { annotations } = vmi;
  if (!annotations?.['interface']) return undefined;
  const machine = view.get('virtual-machine', vmi.spec.virtualMachine)?.annotations;
  if (machine?.['kind'] !== 'Pod') return undefined;
  const [, index = '1', count = '1'] = INDEX.exec(annotations['index'] ?? '') ?? [];
  const subnets = subnetsOf(network, view);
  return {
    namespace: machine['namespace'] ?? '', name: machine['name'] ?? '', uid: machine['uid'] ?? '',
    interface: annotations['interface'], index: Number(index), count: Number(count), mac: vmi.spec.mac,
    addresses: addresses.map(({ spec }) => {
      const address = parseAddress(spec.address)!;
      const subnet = subnetOf(address, subnets);
      return {
        address: formatPrefix({ address, length: subnet?.prefix.length ?? 32 }),
        gateway: subnet?.gateway === undefined ? '' : formatAddress(subnet.gateway),
      };
    }),
    mtu, defaultRoute: annotations['default-route'] === 'true',
  };
}
