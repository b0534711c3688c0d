/**
 * An object as it should be, over what it is. What the controller allocates stays. A network is shared work: operators set route targets
 * and attach policies by hand, so of its lists and settings only what we said ourselves last time is ours to take away.
 */
import type { Specs } from '../../controller/model/kinds.ts';
import type { Stored } from '../../controller/model/kinds.ts';
import { NETWORK, type Desired } from '../translate/desired.ts';

/** Annotation of a network: what we said of the fields that operators may set as well, as JSON. */
const APPLIED = 'applied';
const LISTS = ['routeTargets', 'importRouteTargets', 'exportRouteTargets', 'networkPolicies'] as const;
const FLAGS = ['external', 'shared'] as const;
/** Operators' alone. */
const THEIRS = ['mssClamp', 'vrfKind', 'mtu', 'advertiseStaticRoutes', 'projects', 'staticRoutes'] as const;
type Network = Specs['virtual-network'];
type Shared = Pick<Network, (typeof LISTS)[number] | (typeof FLAGS)[number]>;

/** The object to put, or undefined when it is so already. */
export function merged(desired: Desired, current: Stored | undefined, sameAddresses: (network: string, ipam: string) => boolean): Desired | undefined {
  const target = withWhatIs(desired, current, sameAddresses);
  if (!current) return target;
  return JSON.stringify(target.spec) === JSON.stringify(current.spec) && sameAnnotations(target.annotations, current.annotations ?? {}) ? undefined : target;
}

function withWhatIs(desired: Desired, current: Stored | undefined, sameAddresses: (network: string, ipam: string) => boolean): Desired {
  switch (desired.kind) {
    case 'virtual-network': return withTheirs(desired, current?.kind === desired.kind ? current : undefined);
    case 'virtual-machine-interface': return current?.kind === desired.kind ? inOrderOf(current.spec, desired, { mac: desired.spec.mac || current.spec.mac }) : desired;
    case 'instance-ip': {
      if (current?.kind !== desired.kind) return desired;
      // A pod whose namespace is isolated, or not any more, is in another network with the same addresses: it keeps its own.
      const keeps = current.spec.virtualNetwork === desired.spec.virtualNetwork || sameAddresses(desired.spec.virtualNetwork, current.spec.networkIpam);
      return keeps ? inOrderOf(current.spec, desired, { address: desired.spec.address || current.spec.address, networkIpam: current.spec.networkIpam }) : desired;
    }
    case 'floating-ip':
      return current?.kind === desired.kind ? inOrderOf(current.spec, desired, { address: desired.spec.address || current.spec.address, networkIpam: current.spec.networkIpam }) : desired;
    case 'bgp-router':
      // A key is never shown, and its like is what keeps it.
      return current?.kind === desired.kind ? inOrderOf(current.spec, desired, {}) : desired;
    default: return current ? inOrderOf(current.spec, desired, {}) : desired;
  }
}

/** Fields in the order of `current`, so that equal specs are equal texts. */
function inOrderOf(current: object, desired: Desired, more: object): Desired {
  const spec: Readonly<Record<string, unknown>> = { ...desired.spec, ...more };
  const keys = [...Object.keys(current).filter((key) => key in spec), ...Object.keys(spec).filter((key) => !(key in current))];
  return { ...desired, spec: Object.fromEntries(keys.map((key) => [key, spec[key]])) } as unknown as Desired;
}

function withTheirs(desired: Extract<Desired, { kind: 'virtual-network' }>, current: Stored<'virtual-network'> | undefined): Desired {
  const said = Object.fromEntries([...LISTS, ...FLAGS].map((field) => [field, desired.spec[field]]).filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(NETWORK[field as keyof Network])));
  const annotations = { ...desired.annotations, ...(Object.keys(said).length > 0 ? { [APPLIED]: JSON.stringify(said) } : {}) };
  if (!current) return { ...desired, annotations };
  const last = appliedOf(current);
  const spec = { ...desired.spec };
  for (const field of THEIRS) Object.assign(spec, { [field]: current.spec[field] });
  for (const field of LISTS) {
    const theirs = current.spec[field].filter((each) => !(last[field] ?? []).includes(each) || desired.spec[field].includes(each));
    spec[field] = [...theirs, ...desired.spec[field].filter((each) => !theirs.includes(each))];
  }
  for (const field of FLAGS) spec[field] = desired.spec[field] || (current.spec[field] && last[field] !== true);
  return inOrderOf(current.spec, { ...desired, annotations }, spec);
}

function appliedOf(current: Stored<'virtual-network'>): Partial<Shared> {
  const text = current.annotations?.[APPLIED];
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Partial<Shared>;
  } catch {
    return {}; // somebody wrote it by hand: then nothing is ours to take away
  }
}

function sameAnnotations(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}
