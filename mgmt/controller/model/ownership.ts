/** Whose an object is, and whom it is shared with. */
import { parentName, projectOf, SYSTEM, type Stored } from './kinds.ts';
import type { Objects } from './objects.ts';

/** The project that an object belongs to; undefined: the whole system's. */
export function projectOfObject(object: Stored): string | undefined {
  switch (object.kind) {
    case 'project': return object.name;
    case 'virtual-machine': return object.spec.project;
    case 'instance-ip': return ownerOf(object.spec.virtualMachineInterfaces, object.spec.virtualNetwork);
    // Of a pool that is shared a project takes floating IPs for its own interfaces.
    case 'floating-ip': return ownerOf(object.spec.virtualMachineInterfaces, object.name);
    case 'route-table': return object.name.startsWith(`${SYSTEM}:`) ? undefined : projectOf(object.name);
    case 'network-ipam': case 'virtual-network': case 'floating-ip-pool': case 'virtual-machine-interface': case 'network-policy': return projectOf(object.name);
    default: return undefined;
  }
}

const ownerOf = (interfaces: readonly string[], otherwise: string): string => projectOf(interfaces[0] ?? otherwise);

/** Whether every interface of a project may be in it (a network), take addresses of it (a pool), or name it (what is everybody's). */
export function isSharedWith(object: Stored, projects: ReadonlySet<string>, objects: Objects): boolean {
  switch (object.kind) {
    case 'domain': return true;
    case 'virtual-network': return object.spec.shared || object.spec.projects.some((project) => projects.has(project));
    case 'floating-ip-pool': return object.spec.projects.some((project) => projects.has(project));
    case 'network-ipam': return [...objects.users('network-ipam', object.name)].some((id) => id.startsWith('virtual-network ') && isSharedNetwork(id.slice('virtual-network '.length), projects, objects));
    case 'floating-ip': return projects.has(projectOf(parentName(parentName(object.name))));
    default: return false;
  }
}

function isSharedNetwork(name: string, projects: ReadonlySet<string>, objects: Objects): boolean {
  const network = objects.get('virtual-network', name);
  return network !== undefined && isSharedWith(network, projects, objects);
}
