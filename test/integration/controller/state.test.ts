// An appliance's state as the config API tells it: what an appliance in session has at that version, also while changes go on.
// limit: 120 s
import { EventEmitter } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter } from '../../../examples/chapter.ts';
import { StateReader } from '../../../mgmt/controller/api/state.ts';
import { packAll, Packer } from '../../../mgmt/controller/compile/pack.ts';
import type { Update } from '../../../proto/sync.ts';
import { RESULT_NOT_FOUND, RESULT_OK } from '../../../wasm-core/records.ts';
import { Scene } from './scene.ts';
import { Tables } from './simulated-appliance.ts';

const USER = 'default-domain:k8s-ns-user-1';
const POOL = `${USER}:k8s-vn-ns-default-pod-network:pool-ns-default`;
/** A record or two in an update, so that changes come between. */
const SMALL = { updateBytes: 100 };
const fip = (name: string) => ({ name: `${POOL}:${name}`, floatingIp: { virtualMachineInterfaces: [`${USER}:pod-1`] } });

let scene: Scene;
let listeners: number;
test.before(async () => {
  scene = await Scene.open();
  await scene.put(...chapter());
  listeners = scene.engine.listenerCount('committed');
});
test.after(() => scene.close());

/** What the updates make of empty tables; every record must find what it refers to. */
class Reader {
  readonly tables = new Tables();
  version = 0;
  updates = 0;

  take({ batches, version }: Update): void {
    assert.is(this.version, 0, 'the version comes last');
    for (const batch of batches) assert.equal(this.tables.applyBatch(batch).filter((code) => code !== RESULT_OK && code !== RESULT_NOT_FOUND), [], `batch of kind ${batch.kind} applies`);
    this.version = version;
    this.updates++;
  }
}

const stateOf = (appliance: string): AsyncIterable<Update> => scene.config.state({ appliance });

/** A call that nobody takes further. */
class Call extends EventEmitter<{ cancelled: [] }> {
  cancelled = false;
  cancel(): void {
    this.cancelled = true;
    this.emit('cancelled');
  }
}

/** The compiled state as it is now, as text. */
function compiled(appliance: string): string {
  const tables = new Tables();
  const packer = new Packer();
  for (const walk = packAll(scene.engine.compiler.appliances.get(appliance)!, packer); ;) {
    const done = walk.next().done;
    for (const batch of packer.take().batches) tables.applyBatch(batch);
    if (done) return tables.text();
  }
}

test('it is what the compile step made, with the version of the last change that touched it', async () => {
  for (const appliance of ['compute-1', 'gateway-1']) {
    const reader = new Reader();
    for await (const update of stateOf(appliance)) reader.take(update);
    assert.is(reader.version, scene.engine.compiler.appliances.get(appliance)!.version);
    same(reader.tables.text(), compiled(appliance));
  }
});

test('names travel with it', async () => {
  const names: string[] = [];
  for await (const update of stateOf('compute-1')) names.push(...update.names.map(({ of, name, port }) => `${of} ${name} ${port}`.trim()));
  assert.ok(names.includes(`INTERFACE ${USER}:pod-1 pod-1`), names.join('\n'));
  assert.ok(names.includes(`FLOATING_IP ${POOL}:pod-1`), names.join('\n'));
});

test('changes while it is told: the end is the state of the version that it bears', async () => {
  const states = new Map<number, string>();
  const note = (): void => { states.set(scene.engine.compiler.appliances.get('compute-1')!.version, compiled('compute-1')); };
  note();
  const reader = new Reader();
  let changes = 0;
  for await (const update of new StateReader(scene.engine, SMALL).updates('compute-1', new Call())) {
    reader.take({ batches: [], names: [], ...update } as Update);
    if (changes === 3) continue;
    await scene.put(fip(`during-${changes++}`));
    note();
  }
  assert.is(changes, 3, 'it came in enough parts for changes to come between');
  same(reader.tables.text(), states.get(reader.version));
});

test('a network that goes while it is told leaves nothing behind', async () => {
  const network = { name: `${USER}:short-lived`, virtualNetwork: { subnets: [{ prefix: '10.99.0.0/24' }] } };
  const workload = { name: `${USER}:short-lived`, virtualMachineInterface: { virtualNetwork: network.name, virtualRouter: 'default-global-system-config:compute-1', port: 'short', mac: '02:00:00:00:09:09' } };
  const address = { name: 'short-lived-ip', instanceIp: { virtualNetwork: network.name, virtualMachineInterfaces: [workload.name] } };
  await scene.put(network, workload, address);
  const reader = new Reader();
  let isGone = false;
  for await (const update of new StateReader(scene.engine, SMALL).updates('compute-1', new Call())) {
    reader.take({ batches: [], names: [], ...update } as Update);
    if (isGone || !reader.tables.text().includes('020000000909')) continue;
    isGone = true;
    await scene.config.commit({ operations: [['instance-ip', 'short-lived-ip'], ['virtual-machine-interface', workload.name], ['virtual-network', network.name]].map(([kind, name]) => ({ delete: { kind, name } })) });
  }
  assert.ok(isGone);
  same(reader.tables.text(), compiled('compute-1'));
});

test('four read at once, not five; whoever stops or is cut off makes room', async () => {
  const reader = new StateReader(scene.engine);
  const calls = Array.from({ length: 4 }, () => new Call());
  const running = calls.map((call) => reader.updates('compute-1', call));
  for (const each of running) assert.is((await each.next()).done, false);
  const fifth = (): Promise<string> => reader.updates('gateway-1', new Call()).next().then(() => 'OK', (error: grpc.ServiceError) => grpc.status[error.code]!);
  assert.is(await fifth(), 'RESOURCE_EXHAUSTED');
  await running[0]!.return(undefined);
  assert.is(await fifth(), 'OK');
  calls[1]!.cancel();
  while (!(await running[1]!.next()).done);
  assert.is(scene.engine.listenerCount('committed'), listeners + 3, 'those two that read on, and the fifth');
  for (const each of running) await each.return(undefined);
});

test('who is not there is told so', async () => {
  const error = await new Promise<grpc.ServiceError>((resolve) => { scene.config.state({ appliance: 'compute-9' }).on('error', resolve).resume(); });
  assert.is(grpc.status[error.code], 'NOT_FOUND');
  assert.match(error.details, /there is no appliance "compute-9".*; there are compute-1, gateway-1/);
});

/** Equal, or the first lines that only one has: texts of a whole state are long. */
function same(actual: string, expected: string | undefined): void {
  if (actual === expected) return;
  const [has, wants] = [actual, expected ?? ''].map((text) => text.split('\n')) as [string[], string[]];
  const without = (lines: string[], others: string[]): string[] => { const known = new Set(others); return lines.filter((line) => !known.has(line)).slice(0, 10); };
  assert.equal(without(has, wants), without(wants, has));
  throw new Error('the same lines in another order');
}

test.run();
