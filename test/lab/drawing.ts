/** The picture of a running lab. */
import type { Lab } from './lab.ts';
import { ADDRESSES } from './network.ts';
import { bold, cyan, pad } from './terminal.ts';

export function drawing({ pods }: Lab): string[] {
  const internet = `${ADDRESSES.internet} ─── `;
  const gateway = `${ADDRESSES.external} │ ${ADDRESSES.gatewayTunnel} ══ MPLS over GRE ══ `;
  const compute = `${ADDRESSES.computeTunnel} ─`;
  const width = internet.length + gateway.length + compute.length;
  return [
    bold([pad('internet', internet.length), pad('gateway-1', gateway.length), pad('compute-1', compute.length + 3), 'pods'].join('')),
    ...pods.map(({ name, host, floatingIp }, i) => {
      const branch = pods.length === 1 ? '─' : i === 0 ? '┬' : i === pods.length - 1 ? '└' : '├';
      return `${i === 0 ? internet + gateway + compute : ' '.repeat(width)}${branch}─ ${name} ${host.address} ⇄ ${cyan(floatingIp)}`;
    }),
  ].map((line) => `  ${line}`);
}
