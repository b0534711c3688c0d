/** A BGPRouter: a router that controllers exchange VPN routes with, or a controller's own speaker. */
import { BGP_ROUTERS } from '../../controller/model/kinds.ts';
import { parseAddress } from '../../controller/model/address.ts';
import { shortened } from '../config/literal.ts';
import { problems } from './annotations.ts';
import { ownerOf } from './cluster.ts';
import { flagOf, numberOf, textOf, textsOf } from './custom.ts';
import type { Output } from './desired.ts';
import type { View } from './view.ts';

const KINDS = { 'control-node': 'CONTROL_NODE', router: 'ROUTER' } as const;
const MAX_NUMBER = 2 ** 32 - 1;

export function translateBgpRouter(view: View, key: string): Output {
  const router = view.get('bgprouter', key);
  if (!router) return { objects: [], problems: [] };
  const { found, report } = problems();
  const kind = textOf(router, 'kind', report) || 'router';
  if (!Object.hasOwn(KINDS, kind)) report('spec.kind', 'InvalidField', `${JSON.stringify(shortened(kind))} is none of ${Object.keys(KINDS).join(', ')}`);
  const address = textOf(router, 'address', report);
  if (parseAddress(address) === undefined) report('spec.address', 'InvalidAddress', `${JSON.stringify(shortened(address))} is not an IPv4 address; give that of the session`);
  const number = (field: string): number => {
    const value = numberOf(router, field, report);
    if (value >= 0 && value <= MAX_NUMBER) return value;
    report(`spec.${field}`, 'InvalidField', `${value} is not a number from 0 to ${MAX_NUMBER}`);
    return 0;
  };
  const spec = {
    kind: KINDS[kind as keyof typeof KINDS], autonomousSystem: number('autonomousSystem'), address, port: number('port'), addressFamilies: textsOf(router, 'addressFamilies', report),
    holdTime: number('holdTime'), authKey: '', peers: textsOf(router, 'peers', report).map((name) => `${BGP_ROUTERS}:${name}`), routeReflectorClient: flagOf(router, 'routeReflectorClient', report),
    multihop: number('multihop'), restartTime: number('restartTime'), identifier: textOf(router, 'identifier', report), adminDown: flagOf(router, 'adminDown', report),
  };
  if (found.length > 0) return { objects: [], problems: found };
  const annotations = { ...ownerOf(view), kind: 'BGPRouter', name: router.name, uid: router.uid };
  return { objects: [{ kind: 'bgp-router', name: `${BGP_ROUTERS}:${router.name}`, uuid: '', annotations, spec }], problems: [] };
}
