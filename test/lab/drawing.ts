/** The picture of a running lab. */
import { ADDRESSES } from './network.ts';
import type { Lab } from './lab.ts';
import { bold, cyan, dim, pad } from './terminal.ts';

export function drawing(lab: Lab): string[] {
  const io = lab.network.kind === 'namespaces' ? 'AF_XDP' : 'socket ports';
  const columns = [17, 33, 20];
  const row = (...cells: string[]): string => `  ${cells.map((cell, i) => pad(cell, columns[i] ?? 0)).join('').trimEnd()}`;
  const [first, ...others] = lab.pods.map(({ name, host, floatingIp }) => `${name} ${host.address} ⇄ ${cyan(floatingIp)}`);
  return [
    row(bold('internet'), bold('gateway'), bold('compute'), bold('pods')),
    row(`${ADDRESSES.internet} ─`, `─ ${ADDRESSES.external} │ ${ADDRESSES.gatewayTunnel} ══`, `══ ${ADDRESSES.computeTunnel} ─┬─`, `─ ${first ?? ''}`),
    ...others.map((pod, i) => row('', i === 0 ? dim(`                ${io}`) : '', `${' '.repeat(16)}${i === others.length - 1 ? '└' : '├'}─`, `─ ${pod}`)),
  ];
}
