/**
 * The running controller between its config API and routers: a floating IP from the call until FRR shows it, and what routers tell
 * until an appliance forwards by it. Controller, agent and dataplane are processes of their own.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BGP_ROUTERS, VROUTER_CONFIG } from '../../../mgmt/controller/model/kinds.ts';
import type { Object as ConfigObject } from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';
import { BgpLab, frrConfiguration, until, type Link } from '../../interop/bgp-lab.ts';
import { Frr } from '../../interop/frr.ts';
import type { Row } from '../rows.ts';
import { NEXT_HOPS, ROUTES, TELLERS } from './tellers.ts';
import { quantile, timed } from './timing.ts';
import { House, NETWORK, SYSTEM } from '../sync/house.ts';

const PROJECT = 'default-domain:k8s-ns-user-1';
const POOL = `${NETWORK}:pool-ns-default`;
const POD = `${PROJECT}:pod-1`;
const SINGLE = 200;
const MANY = 100_000;
/** The fleet that bears them. */
const [COMPUTES, INTERFACES] = [100, 1000];
const PATIENCE_MS = 120_000;
/** Looking at an appliance's tables takes of the processors that are measured. */
const POLL_MS = 200;

/** A controller whose speaker is in the lab's namespace, and one router. */
async function withHouse(name: string, work: (house: House, lab: BgpLab, link: Link) => Promise<void>): Promise<void> {
  const lab = new BgpLab();
  const link = lab.router(name);
  const house = await House.open(0, ['--bgp-launcher', `ip netns exec ${lab.namespaces.full('controller')}`]);
  try {
    await work(house, lab, link);
  } finally {
    await house.close();
    await lab.close();
  }
}

const speakers = (link: Link): Draft<ConfigObject>[] => [
  { name: `${BGP_ROUTERS}:controller`, bgpRouter: { kind: 'CONTROL_NODE', address: link.controller } },
  { name: `${BGP_ROUTERS}:peer`, bgpRouter: { kind: 'ROUTER', address: link.router, peers: [`${BGP_ROUTERS}:controller`], holdTime: 30 } },
];

async function withFrr(work: (house: House, frr: Frr, link: Link) => Promise<void>): Promise<void> {
  await withHouse('frr', async (house, lab, link) => {
    const frr = new Frr({ namespaces: lab.namespaces, namespace: 'frr', directory: lab.folder('frr'), configuration: frrConfiguration(link) });
    await frr.start();
    try {
      await work(house, frr, link);
    } finally {
      await frr.stop();
    }
  });
}

const floatingIp = (name: string, its: string, vmi: string): Draft<ConfigObject> => ({ name: `${POOL}:${name}`, floatingIp: { address: its, virtualMachineInterfaces: [vmi] } });

export async function single(report: (row: Row) => void): Promise<void> {
  await withFrr(async (house, frr, link) => {
    await house.put(speakers(link));
    await until('the chapter at FRR', async () => (await frr.vpn('101.101.101.3/32')).length > 0);
    const [up, down]: [number[], number[]] = [[], []];
    for (let at = 0; at < SINGLE; at++) {
      const its = `101.101.101.${10 + at}`;
      const object = floatingIp(`bench-${at}`, its, POD);
      up.push(await timed(async () => {
        await house.put([object]);
        while ((await frr.vpn(`${its}/32`)).length === 0);
      }));
      down.push(await timed(async () => {
        await house.commit([{ delete: { kind: 'floating-ip', name: object.name! } }]);
        while ((await frr.vpn(`${its}/32`)).length > 0);
      }));
    }
    for (const [what, times] of [['associated by the config API → announced at', up], ['deleted by the config API → withdrawn at', down]] as const) {
      report({ name: `floating IP ${what} FRR, median of ${SINGLE}`, value: quantile(times, 0.5), unit: 'ms' });
      report({ name: `floating IP ${what} FRR, p99`, value: quantile(times, 0.99), unit: 'ms', bar: { kind: '≤', limit: 200 } });
    }
  });
}

export async function cold(report: (row: Row) => void): Promise<void> {
  await withFrr(async (house, frr, link) => {
    // A network for each compute: what one appliance imports is its own.
    for (let at = 0; at < COMPUTES; at++) await house.put(fleetPart(at));
    const seconds = await timed(async () => {
      await house.put(speakers(link));
      await until(`${MANY} at FRR`, async () => (await frr.peer(link.controller)).prefixes >= MANY, PATIENCE_MS);
    });
    report({ name: `${MANY} floating IPs in the controller, a peer comes → all at FRR`, value: seconds / 1000, unit: 's', bar: { kind: '≤', limit: 25 } });
  });
}

/** One compute of the fleet with its interfaces, in a network of their own that their floating IPs come from. */
function fleetPart(at: number): Draft<ConfigObject>[] {
  const [network, compute] = [`${PROJECT}:bench-${at}`, `${SYSTEM}:c${at}`];
  const [interfaces, each] = [INTERFACES / COMPUTES, MANY / INTERFACES];
  const vmi = (of: number): string => `${PROJECT}:bench-${at}-${of}`;
  const its = (number: number): string => `100.${64 + (at >> 5)}.${((at & 31) << 3) + (number >> 8)}.${number & 255}`;
  return [
    { name: compute, virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'f', address: `10.170.0.${1 + at}/16`, mac: '02:00:00:00:00:01' } } },
    { name: network, virtualNetwork: { subnets: [{ prefix: `${its(0)}/21` }] } },
    { name: `${network}:pool`, floatingIpPool: {} },
    ...Array.from({ length: interfaces }, (_, of): Draft<ConfigObject>[] => [
      { name: vmi(of), virtualMachineInterface: { virtualNetwork: network, virtualRouter: compute, port: `tap${of}` } },
      { name: `bench-${at}-${of}-ip`, instanceIp: { address: its(1500 + of), virtualNetwork: network, virtualMachineInterfaces: [vmi(of)] } },
      ...Array.from({ length: each }, (_, number): Draft<ConfigObject> => (
        { name: `${network}:pool:f${of * each + number}`, floatingIp: { address: its(1 + of * each + number), virtualMachineInterfaces: [vmi(of)] } })),
    ]).flat(),
  ];
}

export async function received(report: (row: Row) => void, maker: keyof typeof TELLERS): Promise<void> {
  await withHouse('peer', async (house, lab, link) => {
    await house.put([{ name: VROUTER_CONFIG, globalVrouterConfig: { dynamicTunnelNetworks: [NEXT_HOPS] } }]);
    await house.startAppliance();
    const stop = await TELLERS[maker](lab, link);
    try {
      await receive(house, link, maker, report);
    } finally {
      await stop();
    }
  });
}

async function receive(house: House, link: Link, maker: string, report: (row: Row) => void): Promise<void> {
  await house.put(speakers(link));
  await until('a session', async () => (await house.controller.routing.bgpNeighbors({})).neighbors.some(({ state }) => state === 'established'));
  const seconds = await timed(async () => {
    await until(`${ROUTES} routes live`, async () => {
      await sleep(POLL_MS);
      const vrfs = await house.appliance.table('vrf');
      if (!vrfs.some((vrf) => Number(vrf['routes']) >= ROUTES)) return false;
      const { appliances: [appliance] } = await house.controller.config.appliances({ appliance: 'compute-1' });
      return appliance?.state === 'in-sync';
    }, PATIENCE_MS);
  });
  report({ name: `${ROUTES} VPN routes from ${maker}: session up → live in every lcore of an appliance`, value: seconds / 1000, unit: 's', bar: { kind: '≤', limit: 15 } });
  await house.commit([{ delete: { kind: 'bgp-router', name: `${BGP_ROUTERS}:peer` } }]);
  const gone = await timed(async () => {
    await until('none live', async () => {
      await sleep(POLL_MS);
      return (await house.appliance.table('vrf')).every((vrf) => Number(vrf['routes']) < 1000);
    }, PATIENCE_MS);
  });
  report({ name: `${maker} is taken away → its ${ROUTES} routes gone in the appliance`, value: gone / 1000, unit: 's' });
}
