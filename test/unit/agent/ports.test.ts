import * as grpc from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DataplaneMethods, Port, PortState } from '../../../proto/dataplane.ts';
import type { Client } from '../../../proto/load.ts';
import type { Name } from '../../../proto/sync.ts';
import { Ports } from '../../../mgmt/agent/ports.ts';

/** Only what Ports calls; `gate` lets a test hold an answer back. */
class FakeDataplane {
  interfaces: [id: number, port: string][] = [];
  attached = new Map<string, PortState>();
  calls: string[] = [];
  refuse = '';
  gate: Promise<void> = Promise.resolve();

  constructor() { this.put({ name: 'fabric0', driver: 'af_xdp', device: 'eth0', queues: 1 }, true); }
  put(port: Port, profile = false): PortState {
    const state: PortState = { port, up: true, mac: '', mtu: 1500, mode: 'copy', problem: '', queues: [], interface: 0, profile, missed: 0, txErrors: 0 };
    this.attached.set(port.name, state);
    return state;
  }
  get client(): Client<DataplaneMethods> {
    const fake = this;
    return {
      async *table() { const rows = fake.interfaces.map(([id, port]) => ({ fields: { id: String(id), port } })); await fake.gate; yield { rows }; },
      async ports() { return { ports: [...fake.attached.values()] }; },
      async attachPort({ name, device }: Port) {
        fake.calls.push(`attach ${name}`);
        if (fake.refuse) throw Object.assign(new Error(fake.refuse), { code: grpc.status.INTERNAL });
        return fake.put({ name, driver: 'af_xdp', device, queues: 1 });
      },
      async detachPort({ name }: Port) { fake.calls.push(`detach ${name}`); const state = fake.attached.get(name)!; fake.attached.delete(name); return state; },
    } as unknown as Client<DataplaneMethods>;
  }
}

const name = (id: number, text: string, port: string): Name => ({ of: 'INTERFACE', id, name: text, port });

interface Context { dataplane: FakeDataplane; devices: Set<string>; log: string[]; ports: Ports }
const test = suite<Context>('ports', {} as Context);
test.before.each((context) => {
  context.dataplane = new FakeDataplane();
  context.devices = new Set(['eth0']);
  context.log = [];
  context.ports = new Ports(context.dataplane.client, () => context.devices, (text) => context.log.push(text));
});

test('a port waits for its device, is attached when that appears, detached when it goes, attached when it is back', async ({ ports, dataplane, devices }) => {
  dataplane.interfaces = [[1, 'pod-1']];
  await ports.learn(1);
  assert.equal(dataplane.calls, []);
  assert.is(ports.list().find((state) => state.port?.name === 'pod-1')?.problem, 'there is no device "pod-1" yet');
  devices.add('pod-1');
  await ports.reconcile();
  devices.delete('pod-1');
  await ports.reconcile();
  devices.add('pod-1');
  await ports.reconcile();
  await ports.reconcile();
  assert.equal(dataplane.calls, ['attach pod-1', 'detach pod-1', 'attach pod-1']);
});

test('a name that goes, or moves to another port, takes its port along', async ({ ports, dataplane, devices }) => {
  for (const device of ['pod-1', 'pod-2', 'pod-3']) devices.add(device);
  await ports.learn(1);
  ports.named([name(1, 'one', 'pod-1'), name(2, 'two', 'pod-2'), { of: 'VRF', id: 1, name: 'vrf', port: '' }]);
  await ports.reconcile();
  await settled(() => dataplane.attached.size === 3);
  ports.named([name(1, '', ''), name(2, 'two', 'pod-3')]);
  await settled(() => dataplane.attached.has('pod-3') && dataplane.attached.size === 2);
  assert.equal([...dataplane.attached.keys()].sort(), ['fabric0', 'pod-3']);
});

test('a port that is held is out until it is brought, which waits until it is live with its interface, or says why it cannot be', async ({ ports, dataplane, devices }) => {
  devices.add('pod-1');
  dataplane.interfaces = [[1, 'pod-1']];
  await ports.learn(1);
  await settled(() => dataplane.attached.has('pod-1'));
  await ports.hold('pod-1');
  assert.is(dataplane.attached.has('pod-1'), false);
  await ports.reconcile();
  assert.is(dataplane.attached.has('pod-1'), false);
  let isLive = false;
  const bringing = ports.bring('pod-1', new AbortController().signal).then(() => { isLive = true; });
  await settled(() => dataplane.attached.has('pod-1'));
  assert.is(isLive, false, 'attached, but bound to no interface yet');
  dataplane.attached.set('pod-1', { ...dataplane.attached.get('pod-1')!, interface: 1 });
  await ports.look();
  await bringing;

  await ports.hold('pod-1');
  dataplane.refuse = 'of 1024 queues 0 are free';
  await ports.bring('pod-1', new AbortController().signal).then(() => assert.unreachable(), (error: Error) => assert.match(error.message, /0 are free/));
  await ports.hold('pod-1');
  dataplane.refuse = '';
  const gone = new AbortController();
  const waiting = ports.bring('pod-1', gone.signal).then(() => assert.unreachable(), (error: Error) => assert.match(error.message, /gave up/));
  gone.abort(new Error('the runtime gave up'));
  await waiting;
});

test("profile ports, and ports without a device, are nobody's to detach", async ({ ports, dataplane }) => {
  dataplane.put({ name: 'pod-9', driver: 'socket', device: '127.0.0.1:1,127.0.0.1:2', queues: 1 });
  await ports.learn(1);
  await ports.reconcile();
  dataplane.interfaces = [[1, 'pod-9']];
  await ports.learn(1);
  assert.equal(dataplane.calls, []);
});

test('names that become live while the dataplane is asked are not lost to its older answer', async ({ ports, dataplane, devices }) => {
  devices.add('pod-1').add('pod-2');
  const gate = Promise.withResolvers<void>();
  dataplane.interfaces = [[1, 'pod-1']];
  dataplane.gate = gate.promise;
  const learning = ports.learn(1);
  await Promise.resolve();
  ports.named([name(1, '', ''), name(2, 'two', 'pod-2')]);
  gate.resolve();
  await learning;
  assert.equal(dataplane.calls, ['attach pod-2']);
});

test('a failed attachment is said once, shown, and neither hides the others nor is hammered', async ({ ports, dataplane, devices, log }) => {
  devices.add('pod-1').add('pod-2');
  dataplane.interfaces = [[1, 'pod-1'], [2, 'pod-2']];
  dataplane.refuse = 'no permission: CAP_NET_RAW is missing';
  await ports.learn(1);
  for (let at = 0; at < 5; at++) await ports.reconcile();
  assert.equal(dataplane.calls, ['attach pod-1', 'attach pod-2']);
  assert.is(log.length, 2);
  assert.match(ports.list().find((state) => state.port?.name === 'pod-1')!.problem, /CAP_NET_RAW/);
});

test('while the dataplane is away nothing is known, so nothing is done', async ({ ports, dataplane, devices }) => {
  devices.add('pod-1');
  dataplane.interfaces = [[1, 'pod-1']];
  await ports.learn(1);
  ports.forget();
  assert.not(ports.known);
  ports.named([name(1, '', '')]);
  await ports.reconcile();
  assert.equal(dataplane.calls, ['attach pod-1']);
});

async function settled(condition: () => boolean): Promise<void> {
  for (let at = 0; at < 200 && !condition(); at++) await new Promise(setImmediate);
}

test.run();
