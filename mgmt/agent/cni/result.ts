/** What ADD answers (CNI 1.1, section 5), in the form of the version that was asked in. */
import type { Attachment } from './attachments.ts';
import type { Configuration } from './request.ts';
import { isAtLeast } from './versions.ts';

const isIpv6 = (address: string): boolean => address.includes(':');

/**
 * Interfaces in the pod first, then their other ends in the same order; after those of the plugins before.
 * @param attachment as it was made
 */
export function resultOf({ netns, interfaces }: Attachment, { version, dns, previous }: Configuration): object {
  const before = previous?.whole ?? {};
  const listBefore = (field: string): unknown[] => (Array.isArray(before[field]) ? before[field] : []);
  const first = listBefore('interfaces').length;
  const withMtu = isAtLeast(version, '1.1.0');
  const withFamily = !isAtLeast(version, '1.0.0');
  const inPod = interfaces.map(({ name, mac, mtu }) => ({ name, mac, ...(withMtu && { mtu }), sandbox: netns }));
  const outside = interfaces.map(({ port, mtu }) => ({ name: port, ...(withMtu && { mtu }) }));
  const ips = interfaces.flatMap(({ addresses }, at) => addresses.map(({ address, gateway }) => ({
    ...(withFamily && { version: isIpv6(address) ? '6' : '4' }), address, ...(gateway !== '' && { gateway }), interface: first + at,
  })));
  const routes = interfaces.flatMap(({ addresses, defaultRoute }) => {
    const gateway = addresses[0]?.gateway ?? '';
    return defaultRoute && gateway !== '' ? [{ dst: isIpv6(gateway) ? '::/0' : '0.0.0.0/0', gw: gateway }] : [];
  });
  return {
    ...before, cniVersion: version,
    interfaces: [...listBefore('interfaces'), ...inPod, ...outside], ips: [...listBefore('ips'), ...ips], routes: [...listBefore('routes'), ...routes],
    dns: Object.keys(dns).length > 0 ? dns : before['dns'] ?? {},
  };
}
