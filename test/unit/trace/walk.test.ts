// The walk on a small state: an appliance of the fixtures' world, whose gateway is a router that is not ours.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadCore } from '../../../firmware/host/core.ts';
import { ipv4Packet, type Packet } from '../../../mgmt/cli/frame.ts';
import type { Source } from '../../../mgmt/trace/source.ts';
import { Walker, type Walk } from '../../../mgmt/trace/walk.ts';
import type { Object as ConfigObject } from '../../../proto/config.ts';
import type { VrfPath } from '../../../proto/routing.ts';
import type { Name, Update } from '../../../proto/sync.ts';
import { FABRIC, FIP_1, INTERNET, IP_FABRIC, IP_FAR, IP_GATEWAY, IP_HOST, IP_POD_1, LABEL_POD_1, MAC_FABRIC, POD_1, POD_2, TAGGED, world } from '../../fixtures/world.ts';

const PORTS = new Map([[FABRIC, 'fabric'], [POD_1, 'd:p:pod-1'], [POD_2, 'd:p:pod-2'], [INTERNET, 'internet'], [TAGGED, 'tagged']]);
const object = (name: string, spec: object): ConfigObject => ({ uuid: '', version: 1, annotations: {}, name, ...spec });

/** What the controller would say; `portless`: an interface that no port is bound to. */
function sourceOf({ portless, answered = true }: { portless?: number; answered?: boolean } = {}): Source & { states: number } {
  const objects: Record<string, ConfigObject[]> = {
    'virtual-router': [object('default-global-system-config:here', { virtualRouter: { fabric: { address: `${IP_FABRIC}/24`, mac: MAC_FABRIC }, routingInstances: [], externalInterfaces: [] } })],
    'bgp-router': [object('r:mx', { bgpRouter: { address: IP_GATEWAY } })],
    'virtual-machine-interface': [object('d:p:pod-1', { virtualMachineInterface: { virtualMachine: 'vm-1' } })],
  };
  return {
    states: 0,
    get: async (kind, name) => objects[kind]?.find((each) => each.name === name),
    list: async (kind) => objects[kind] ?? [],
    appliances: async () => [],
    route: async () => undefined,
    paths: async (_vrf, address) => (answered && address === FIP_1 ? [{ protocolNextHop: IP_FABRIC, label: LABEL_POD_1 } as VrfPath] : []),
    async* state() {
      this.states++;
      const names = [...PORTS].map(([id, name]) => ({ of: 'INTERFACE', id, name, port: id === portless || id === TAGGED ? '' : name }) as Name);
      const batches = world().map(({ kind, bytes }) => ({ kind, count: 1, records: Buffer.from(bytes) }));
      yield { nonce: 1, version: 0, batches, names: [] } satisfies Update;
      yield { nonce: 2, version: 7, batches: [], names } satisfies Update;
    },
  };
}

const { module } = loadCore();
function walk(source: Source, iface: string, packet: Partial<Packet> & { source: string; destination: string }): Promise<Walk> {
  const bytes = ipv4Packet({ protocol: 'udp', sourcePort: 1000, destinationPort: 2000, ttl: 64, dontFragment: false, ...packet });
  return new Walker(source, module).walk({ word: iface, appliance: 'here', interface: iface, address: packet.source, vrf: '' }, { word: '', address: packet.destination }, bytes);
}

test('out to a router that is not ours, and its answer by the label that it has from us', async () => {
  const { there, back } = await walk(sourceOf(), 'd:p:pod-1', { source: IP_POD_1, destination: IP_FAR });
  assert.match(there.outcome.text, /^leaves to router mx \(192\.0\.2\.1\), which is not ours: 192\.0\.2\.2 > 192\.0\.2\.1 GRE MPLS 500: 101\.101\.101\.3 > 198\.51\.100\.9 UDP 1000 > 2000$/);
  assert.equal([there.hops.length, there.hops[0]!.version], [1, 7]);
  assert.match(back!.packet, /^192\.0\.2\.1 > 192\.0\.2\.2 GRE MPLS 101: 198\.51\.100\.9 > 101\.101\.101\.3 UDP 2000 > 1000$/);
  assert.match(back!.outcome.text, /^arrives at d:p:pod-1: 198\.51\.100\.9 > 10\.32\.0\.3 UDP 2000 > 1000$/);
});

test('a router that has no route from us cannot answer', async () => {
  assert.is((await walk(sourceOf({ answered: false }), 'd:p:pod-1', { source: IP_POD_1, destination: IP_FAR })).back, undefined);
});

test('each state is read once; a router on a connected subnet answers ARP', async () => {
  const source = sourceOf();
  const { there } = await walk(source, 'internet', { source: IP_HOST, destination: IP_FAR, protocol: 'tcp' });
  assert.match(there.outcome.text, /^leaves by internet of here to 203\.0\.113\.254, which is not ours/);
  assert.is(source.states, 1);
});

test('a walk leaves its instances as it found them for the next one', async () => {
  const walker = new Walker(sourceOf(), module);
  const from = { word: '', appliance: 'here', interface: 'd:p:pod-1', address: IP_POD_1, vrf: '' };
  const packet = ipv4Packet({ protocol: 'udp', ttl: 64, dontFragment: false, source: IP_POD_1, destination: IP_FAR });
  const told = async (): Promise<string[]> => (await walker.walk(from, { word: '', address: IP_FAR }, packet)).there.hops[0]!.steps.map(({ text }) => text);
  assert.equal(await told(), await told());
});

test('no port, no interface, no answer to give: how a walk ends', async () => {
  const portless = await walk(sourceOf({ portless: FABRIC }), 'd:p:pod-1', { source: IP_POD_1, destination: IP_FAR });
  assert.equal([portless.there.outcome.reason, portless.there.outcome.hints], ['tx_no_queue', ['interface fabric has no port: its `port` is empty']]);
  const nowhere = await walk(sourceOf(), 'd:p:pod-9', { source: IP_POD_1, destination: IP_FAR });
  assert.match(nowhere.there.outcome.text, /here has no interface d:p:pod-9/);
});

test('a record that cannot be taken ends it with what is wrong', async () => {
  const source = sourceOf();
  const broken: Source = { ...source, async* state() { yield { nonce: 1, version: 7, batches: [{ kind: 1, count: 2, records: Buffer.alloc(3) }], names: [] }; } };
  const error = await walk(broken, 'd:p:pod-1', { source: IP_POD_1, destination: IP_FAR }).catch((each: Error) => each);
  assert.match((error as Error).message, /^state of here: batch 0: 2 records of 16 bytes \(route\)/);
});

test.run();
