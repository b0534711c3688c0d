/** Tables of a plain router between two networks: what drivers are tried with. */
import { IFF_UP, IFK_EXTERNAL, NHK_RESOLVE } from '../../../wasm-core/layout.ts';
import type { Draft } from '../../../proto/load.ts';
import type { Name } from '../../../proto/sync.ts';
import { iface, nexthop, route, vrf, type PackedRecord } from '../../fixtures/records.ts';

export const LEFT = { id: 1, port: 'left', mac: '02:00:00:00:00:01', address: '10.1.0.1', host: '10.1.0.9' };
export const RIGHT = { id: 2, port: 'right', mac: '02:00:00:00:00:02', address: '10.2.0.1', host: '10.2.0.9' };
export const VRF = 1;

export const ROUTER: readonly PackedRecord[] = [
  vrf({ id: 0 }),
  vrf({ id: VRF }),
  ...[LEFT, RIGHT].map(({ id, mac, address }) => iface({ id, kind: IFK_EXTERNAL, flags: IFF_UP, vrf: VRF, mac, address })),
  ...[LEFT, RIGHT].map(({ id }) => nexthop({ id, kind: NHK_RESOLVE, interface: id })),
  route({ vrf: VRF, prefix: '10.1.0.0/24', nexthop: LEFT.id }),
  route({ vrf: VRF, prefix: '10.2.0.0/24', nexthop: RIGHT.id }),
];

export const ROUTER_NAMES: readonly Draft<Name>[] = [
  { of: 'VRF', id: VRF, name: 'plain' },
  ...[LEFT, RIGHT].map(({ id, port }): Draft<Name> => ({ of: 'INTERFACE', id, name: `plain:${port}`, port })),
];
