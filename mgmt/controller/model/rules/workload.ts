/** Rules of virtual machines, their interfaces and instance IPs. */
import { formatPrefix, parseMac } from '../address.ts';
import { splitId, type Stored } from '../kinds.ts';
import type { Objects } from '../objects.ts';
import { checkAddress, type Report } from './check.ts';
import { subnetOf, subnetsOf } from '../subnets.ts';
import { distinct } from './network.ts';

/** A Linux device name: what a port of a workload is (IFNAMSIZ - 1), or a socket port's name. */
const PORT = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/;

/** A virtual machine's interfaces: eth0 and on. */
const MAX_ORDER = 256;

export function checkVirtualMachine(report: Report, { spec }: Stored<'virtual-machine'>): void {
  if (!spec.project) report('project', 'REQUIRED', 'is empty; name the project that it belongs to');
}

export function checkInterface(report: Report, { name, spec }: Stored<'virtual-machine-interface'>, objects: Objects): void {
  if (parseMac(spec.mac) === undefined) report('mac', 'MAC', `${JSON.stringify(spec.mac)} is not a unicast MAC address like 02:00:0a:20:00:03`);
  if (!spec.virtualNetwork) report('virtual_network', 'REQUIRED', 'is empty; name the virtual network that the interface is in');
  if (spec.virtualRouter && !PORT.test(spec.port)) report('port', 'NAME', `${JSON.stringify(spec.port)} is not the name of a device on ${spec.virtualRouter}; a placed interface needs one`);
  if (!spec.virtualRouter && spec.port) report('virtual_router', 'REQUIRED', `is empty, but port is ${spec.port}; name the appliance that has the port, or leave both empty`);
  if (spec.order > MAX_ORDER) report('order', 'RANGE', `${spec.order} is no place among a virtual machine's interfaces: 1 to ${MAX_ORDER}, or 0 for the next`);
  if (spec.order !== 0 && !spec.virtualMachine) report('order', 'REQUIRED', 'is a place among the interfaces of a virtual machine: name the virtual_machine, or leave it 0');
  const router = objects.get('virtual-router', spec.virtualRouter);
  if (router && router.spec.kind !== 'COMPUTE') report('virtual_router', 'NOT_A_COMPUTE', `${router.name} is a gateway; workloads live on appliances of kind COMPUTE`);
  for (const id of objects.users('virtual-machine-interface', name)) {
    const [kind, user] = splitId(id);
    const ip = kind === 'instance-ip' ? objects.get(kind, user) : undefined;
    if (ip && ip.spec.virtualNetwork !== spec.virtualNetwork) {
      report('virtual_network', 'OTHER_NETWORK', `${id} of the interface is in ${ip.spec.virtualNetwork}; delete or move it in the same transaction`);
    }
  }
}

export function checkInstanceIp(report: Report, { spec }: Stored<'instance-ip'>, objects: Objects): void {
  const address = checkAddress(report, 'address', spec.address);
  const network = objects.get('virtual-network', spec.virtualNetwork);
  if (!spec.virtualNetwork) report('virtual_network', 'REQUIRED', 'is empty; name the network that the address is of');
  if (network && address !== undefined && !subnetOf(address, subnetsOf(network, objects))) {
    report('address', 'ADDRESS_OUTSIDE_NETWORK', `${spec.address} is not a host address of a subnet of ${network.name}: ${subnetsOf(network, objects).map(({ prefix }) => formatPrefix(prefix)).join(', ') || 'it has none'}`);
  }
  distinct(report, 'virtual_machine_interfaces', spec.virtualMachineInterfaces);
  spec.virtualMachineInterfaces.forEach((name, at) => {
    const vmi = objects.get('virtual-machine-interface', name);
    if (vmi && vmi.spec.virtualNetwork !== spec.virtualNetwork) {
      report(`virtual_machine_interfaces[${at}]`, 'OTHER_NETWORK', `${name} is in ${vmi.spec.virtualNetwork}, not in ${spec.virtualNetwork}`);
    }
  });
}
