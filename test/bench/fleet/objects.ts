/**
 * A fleet's objects: projects of ten networks, of which one is the outside's, with a hundred workloads that have a floating IP each,
 * on five computes; every compute serves five projects. Gateways import the outside networks of all projects.
 */
import type { Object as ConfigObject } from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';

export const SYSTEM = 'default-global-system-config';
/** Per project. */
const NETWORKS = 9;
const WORKLOADS = 100;
const PLACES = 5;
/** Routes of outside networks go to the gateways by one, the gateways' default route comes back by the other. */
const [TO_GATEWAYS, FROM_GATEWAYS] = ['target:64512:101', 'target:64512:100'];

/** Appliances: `gateways` of them are gateways; projects: as many as appliances unless said otherwise. */
export interface FleetSize { readonly appliances: number; readonly gateways: number; readonly projects?: number }
export const FULL: FleetSize = { appliances: 1000, gateways: 2 };

/** Names as in certificates, computes first. */
export function applianceNames({ appliances, gateways }: FleetSize): string[] {
  return [
    ...Array.from({ length: appliances - gateways }, (_, at) => `compute-${at + 1}`),
    ...Array.from({ length: gateways }, (_, at) => `gateway-${at + 1}`),
  ];
}

/** A workload: its interface, port on its compute, and floating IP. */
export interface Workload { readonly interface: string; readonly port: string; readonly address: string; readonly pool: string }

export const projectName = (project: number): string => `default-domain:project-${project}`;
export const outsideOf = (project: number): string => `${projectName(project)}:outside`;
const poolOf = (project: number): string => `${outsideOf(project)}:pool`;
const networkOf = (project: number, network: number): string => `${projectName(project)}:net-${network}`;

/** Where workload `at` of a project runs, by index among the computes: neighbours by number share projects. */
const placeOf = ({ appliances, gateways }: FleetSize, project: number, at: number): number => (project + at % PLACES) % (appliances - gateways);

/** A workload of the fleet that runs on the first compute. */
export function workload(at: number): Workload {
  // Project 0's places begin at the first compute.
  const own = at * PLACES;
  const project = 0;
  return { interface: `${projectName(project)}:vm-${own}`, port: `tap-${project}-${own}`, address: hostOf(own), pool: poolOf(project) };
}

const hostOf = (at: number): string => `10.0.${at % NETWORKS}.${10 + Math.floor(at / NETWORKS)}`;

/** Address k of the block that the project's outside network has: 128 each of 100.64.0.0/10. */
export function outsideAddress(project: number, k: number): string {
  const address = 0x64400000 + project * 128 + k;
  return [address >>> 24, address >>> 16 & 255, address >>> 8 & 255, address & 255].join('.');
}

function applianceObjects({ appliances, gateways }: FleetSize): Draft<ConfigObject>[] {
  const fabric = (at: number): Draft<ConfigObject['virtualRouter'] & object>['fabric'] => ({
    port: 'fabric', address: `10.169.${16 + (at >> 8)}.${at & 255}/12`, mac: `02:00:00:00:${hex(at >> 8)}:${hex(at & 255)}`, mtu: 1600,
  });
  return [
    ...Array.from({ length: appliances - gateways }, (_, at): Draft<ConfigObject> => ({
      name: `${SYSTEM}:compute-${at + 1}`, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: fabric(at + 1) },
    })),
    ...Array.from({ length: gateways }, (_, at): Draft<ConfigObject> => ({
      name: `${SYSTEM}:gateway-${at + 1}`,
      virtualRouter: {
        kind: 'GATEWAY', profile: 'virtual', fabric: fabric(appliances - gateways + at + 1),
        routingInstances: [{ name: 'internet', importRouteTargets: [TO_GATEWAYS], exportRouteTargets: [FROM_GATEWAYS] }],
        externalInterfaces: [{ name: 'external', port: 'external', address: `203.0.113.${at + 1}/24`, mac: `02:00:00:00:71:${hex(at + 1)}`, routingInstance: 'internet' }],
      },
    })),
  ];
}

function projectObjects(size: FleetSize, project: number): Draft<ConfigObject>[] {
  const objects: Draft<ConfigObject>[] = [
    { name: projectName(project), project: {} },
    { name: outsideOf(project), virtualNetwork: { subnets: [{ prefix: `${outsideAddress(project, 0)}/25` }], exportRouteTargets: [TO_GATEWAYS], importRouteTargets: [FROM_GATEWAYS] } },
    { name: poolOf(project), floatingIpPool: {} },
  ];
  for (let network = 0; network < NETWORKS; network++) objects.push({ name: networkOf(project, network), virtualNetwork: { subnets: [{ prefix: `10.0.${network}.0/24` }] } });
  for (let at = 0; at < WORKLOADS; at++) {
    const name = `${projectName(project)}:vm-${at}`;
    const network = networkOf(project, at % NETWORKS);
    objects.push(
      { name, virtualMachineInterface: { virtualNetwork: network, virtualRouter: `${SYSTEM}:compute-${placeOf(size, project, at) + 1}`, port: `tap-${project}-${at}` } },
      { name: `ip-${project}-${at}`, instanceIp: { address: hostOf(at), virtualNetwork: network, virtualMachineInterfaces: [name] } },
      { name: `${poolOf(project)}:vm-${at}`, floatingIp: { address: outsideAddress(project, 1 + at), virtualMachineInterfaces: [name] } },
    );
  }
  return objects;
}

/** Objects in transactions that leave no reference open: the appliances, then some projects at a time. */
export function* fleetObjects(size: FleetSize, projectsAtOnce = 20): Generator<Draft<ConfigObject>[]> {
  yield applianceObjects(size);
  const projects = size.projects ?? size.appliances;
  for (let first = 0; first < projects; first += projectsAtOnce) {
    yield Array.from({ length: Math.min(projectsAtOnce, projects - first) }, (_, at) => projectObjects(size, first + at)).flat();
  }
}

/** The core takes no floating IP that two have: this one is free in every project. */
export const SPARE = 1 + WORKLOADS;

const hex = (value: number): string => value.toString(16).padStart(2, '0');
