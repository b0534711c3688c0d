/** Rules of static route tables. The packed prefixes are walked once: ascending and distinct, so that tables can be merged. */
import { contains, formatKey, maskOf, parseAddress, parsePrefix, prefixKey } from '../address.ts';
import type { Stored } from '../kinds.ts';
import type { Objects } from '../objects.ts';
import type { Report } from './check.ts';

/** Address in network order, length. */
export const PACKED_PREFIX = 5;
const MAX_NEXT_HOPS = 256;

export function checkRouteTable(report: Report, { spec }: Stored<'route-table'>, objects: Objects): void {
  const gateway = objects.get('virtual-router', spec.virtualRouter);
  const instance = gateway?.spec.routingInstances.find((each) => each.name === spec.routingInstance);
  if (Boolean(spec.virtualNetwork) === Boolean(spec.virtualRouter)) report('virtual_network', 'ONE_OF', 'a table is of one virtual network, or of one virtual router\'s routing instance: set exactly one');
  if (gateway && !instance) report('routing_instance', 'REFERENCE', `${JSON.stringify(spec.routingInstance)} is not a routing instance of ${gateway.name}: ${gateway.spec.routingInstances.map((each) => each.name).join(', ') || 'it has none'}`);

  if (spec.nextHops.length === 0 || spec.nextHops.length > MAX_NEXT_HOPS) report('next_hops', 'RANGE', `has ${spec.nextHops.length} entries: 1 to ${MAX_NEXT_HOPS}`);
  spec.nextHops.forEach((hop, at) => {
    const field = `next_hops[${at}]`;
    const given = [hop.gateways.length > 0, hop.virtualMachineInterface !== '', hop.address !== '', hop.discard].filter(Boolean).length;
    if (given !== 1) report(field, 'ONE_OF', `has ${given} of gateways, virtual_machine_interface, address, discard: exactly one`);
    hop.gateways.forEach((each, index) => {
      const router = objects.get('virtual-router', each.virtualRouter);
      if (router && !router.spec.routingInstances.some((candidate) => candidate.name === each.routingInstance)) {
        report(`${field}.gateways[${index}].routing_instance`, 'REFERENCE', `${JSON.stringify(each.routingInstance)} is not a routing instance of ${router.name}`);
      }
    });
    if (hop.gateways.length > 0 && spec.virtualRouter) report(`${field}.gateways`, 'GATEWAY_TO_GATEWAY', 'a gateway does not send to gateways; name a router on its external subnet or a workload');
    if (hop.address) {
      const address = parseAddress(hop.address);
      const subnets = gateway?.spec.externalInterfaces.filter((external) => external.routingInstance === spec.routingInstance).flatMap((external) => parsePrefix(external.address) ?? []) ?? [];
      if (address === undefined || !subnets.some((prefix) => contains(prefix, address) && prefix.address !== address)) {
        report(`${field}.address`, 'NEXT_HOP_UNREACHABLE', `${JSON.stringify(hop.address)} is not another address on an external interface's subnet of the routing instance`);
      }
    }
  });
  checkPacked(report, spec.prefixes, spec.nextHopIndex, spec.nextHops.length);
}

function checkPacked(report: Report, prefixes: Buffer, index: Buffer, hops: number): void {
  if (prefixes.length % PACKED_PREFIX !== 0) {
    report('prefixes', 'PACKED', `is ${prefixes.length} bytes: five for each prefix (address in network order, length)`);
    return;
  }
  const count = prefixes.length / PACKED_PREFIX;
  if (index.length !== 0 && index.length !== count) report('next_hop_index', 'PACKED', `is ${index.length} bytes for ${count} prefixes: one each, or none`);
  let previous = -1;
  for (let at = 0; at < count; at++) {
    const address = prefixes.readUInt32BE(at * PACKED_PREFIX);
    const length = prefixes[at * PACKED_PREFIX + 4]!;
    if (length > 32 || (address & ~maskOf(length)) !== 0) {
      report('prefixes', 'PREFIX_HOST_BITS', `number ${at} (${formatKey(prefixKey(address, Math.min(length, 63)))}): length 0 to 32, and no bits beyond it`);
      return;
    }
    const key = prefixKey(address, length);
    if (key <= previous) {
      report('prefixes', 'ORDER', `number ${at} (${formatKey(key)}) does not come after the one before it: sort by address and length, each once`);
      return;
    }
    previous = key;
  }
  const wrong = index.findIndex((each) => each >= hops);
  if (wrong >= 0) report('next_hop_index', 'RANGE', `number ${wrong} is ${index[wrong]}: next_hops has ${hops} entries`);
}
