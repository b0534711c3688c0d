/** The rules of every kind. `checkObject` looks at one object within all of them, as they are after the transaction. */
import { KINDS, SYSTEM, type Annotations, type Kind, type Stored } from '../kinds.ts';
import type { Objects } from '../objects.ts';
import { isTarget, type Report } from './check.ts';
import { checkInstanceIp, checkInterface, checkVirtualMachine } from './workload.ts';
import { checkFloatingIp, checkIpam, checkNetwork, checkPolicy, checkPool } from './network.ts';
import { checkVirtualRouter } from './virtual-router.ts';
import { checkRouteTable } from './route-table.ts';
import { checkToken } from './token.ts';
import { checkBgpRouter, checkSystem, checkVrouters } from './bgp.ts';

/** Contrail's names have dots, dashes, underscores and more, but the colon separates parts. */
const PART = /^[^\s:/]{1,127}$/;
export const MAX_NAME = 400;

/** Reports what is wrong with the name itself. */
export function checkName(report: Report, kind: Kind, name: string): void {
  const { parts } = KINDS[kind];
  const given = name.split(':');
  const own = kind === 'route-table' && given[0] === SYSTEM;
  const right = (part: string, at: number): boolean => (parts[at]!.startsWith('<') || own && at === 0 ? PART.test(part) : part === parts[at]);
  if (given.length !== parts.length || !given.every(right) || name.length > MAX_NAME) {
    report('name', 'NAME', `${JSON.stringify(name)} is not a name of a ${kind}: ${parts.join(':')}, parts of 1 to 127 characters without blanks, "/" and ":"`);
  }
}

/** Enough to say whose an object is; not a place to keep things. */
const MAX_ANNOTATIONS_BYTES = 16 * 1024;
const ANNOTATION = /^[^\s]{1,253}$/;

function checkAnnotations(report: Report, annotations: Annotations): void {
  let bytes = 0;
  for (const [key, value] of Object.entries(annotations)) {
    if (!ANNOTATION.test(key)) report('annotations', 'ANNOTATION', `${JSON.stringify(key)} is not a key: 1 to 253 characters without blanks`);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  }
  if (bytes > MAX_ANNOTATIONS_BYTES) report('annotations', 'TOO_LONG', `have ${bytes} bytes; there is room for ${MAX_ANNOTATIONS_BYTES}`);
}

export function checkObject(report: Report, object: Stored, objects: Objects): void {
  if (object.annotations) checkAnnotations(report, object.annotations);
  switch (object.kind) {
    case 'project': break;
    case 'virtual-network': checkNetwork(report, object, objects); break;
    case 'floating-ip-pool': checkPool(report, object, objects); break;
    case 'floating-ip': checkFloatingIp(report, object, objects); break;
    case 'virtual-machine-interface': checkInterface(report, object, objects); break;
    case 'instance-ip': checkInstanceIp(report, object, objects); break;
    case 'virtual-router': checkVirtualRouter(report, object, objects); break;
    case 'route-table': checkRouteTable(report, object, objects); break;
    case 'bgp-router': checkBgpRouter(report, object, objects); break;
    case 'global-system-config': checkSystem(report, object); break;
    case 'global-vrouter-config': checkVrouters(report, object); break;
    case 'network-policy': checkPolicy(report, object); break;
    case 'network-ipam': checkIpam(report, object, objects); break;
    case 'virtual-machine': checkVirtualMachine(report, object); break;
    case 'access-token': checkToken(report, object); break;
    case 'route-target':
      if (!isTarget(object.name)) report('name', 'ROUTE_TARGET', `${JSON.stringify(object.name)} is not a route target like target:64512:100 (ASN below 65536 with a 32-bit number, or a 4-byte ASN with a 16-bit one)`);
      break;
    case 'domain':
      if (object.name === SYSTEM) report('name', 'NAME', `${SYSTEM} is not a domain's name: appliances are under it`);
      break;
  }
}
