// A controller that starts again is compiled with what routers told the last run: it has the very state that its appliances have, and spends no
// version; what the disk has lost, or never worked in, is made good by a version of its own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LastRun } from '../../../mgmt/controller/bgp/last-run.ts';
import { BgpService } from '../../../mgmt/controller/bgp/service.ts';
import type { ReceivedPath } from '../../../mgmt/controller/bgp/types.ts';
import { receivedKey } from '../../../mgmt/controller/bgp/types.ts';
import { packAll, Packer } from '../../../mgmt/controller/compile/pack.ts';
import { Engine } from '../../../mgmt/controller/engine.ts';
import { keyOf, parseAddress } from '../../../mgmt/controller/model/address.ts';
import { SqliteStore } from '../../../mgmt/controller/store/sqlite.ts';
import { Tables } from '../../integration/controller/simulated-appliance.ts';
import { put } from './objects.ts';

const P = 'default-domain:p';
const TARGET = 'target:64512:1';
/** One compute, and two gateways of our own that would share its default route, were it not for what a router told. */
const OBJECTS = [
  put({ name: P, project: {} }),
  put({ name: 'default-global-system-config:default-global-vrouter-config', globalVrouterConfig: { dynamicTunnelNetworks: ['192.168.9.0/24'] } }),
  put({ name: `${P}:n`, virtualNetwork: { subnets: [{ prefix: '10.0.0.0/24' }], routeTargets: [TARGET] } }),
  put({ name: 'default-global-system-config:c1', virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'f', address: '192.168.1.11/24', mac: '02:00:00:00:00:01' } } }),
  ...[1, 2].map((at) => put({ name: `default-global-system-config:g${at}`, virtualRouter: {
    kind: 'GATEWAY', profile: 'virtual', fabric: { port: 'f', address: `192.168.1.${200 + at}/24`, mac: '02:00:00:00:00:02' }, routingInstances: [{ name: 'internet', routeTargets: [TARGET] }],
  } })),
  put({ name: `${P}:v`, virtualMachineInterface: { virtualNetwork: `${P}:n`, virtualRouter: 'default-global-system-config:c1', port: 'tap0' } }),
  put({ name: 'ip', instanceIp: { address: '10.0.0.3', virtualNetwork: `${P}:n`, virtualMachineInterfaces: [`${P}:v`] } }),
];
const route = (router: string, prefix: string, localPreference = 100): ReceivedPath => ({
  family: 'ipv4-vpn', distinguisher: `${router}:1`, prefix: keyOf(prefix), label: 2001, nextHop: parseAddress(router)!, targets: [TARGET], encapsulations: [], localPreference, peer: parseAddress(router)!, asPath: [], origin: 0, since: 1,
});
const TOLD = [route('192.168.9.1', '0.0.0.0/0'), route('192.168.9.2', '0.0.0.0/0'), route('192.168.9.1', '198.18.0.0/15')];

const folder = mkdtempSync(join(tmpdir(), 'wrouter-last-run-'));
test.after(() => rmSync(folder, { recursive: true, force: true }));
let directories = 0;
const directory = (): string => join(folder, String(++directories));

interface Run { readonly engine: Engine; readonly service: BgpService; readonly lastRun: LastRun }

/** A controller starts; it is closed before it can speak to anybody. */
async function start(store: SqliteStore, where: string): Promise<Run> {
  const lastRun = new LastRun(where, store.stateId, 'controller');
  const engine = await Engine.open(store, { told: (objects) => lastRun.told(objects) });
  const service = await BgpService.open({ engine, lastRun, name: 'controller', directory: where, launcher: [], log: pino({ level: 'silent' }) });
  return { engine, service, lastRun };
}

function stateOf({ compiler }: Engine): unknown {
  return [...compiler.appliances.values()].map((appliance) => {
    const tables = new Tables();
    for (const packer = new Packer(), walk = packAll(appliance, packer); ;) {
      const done = walk.next().done;
      for (const batch of packer.take().batches) tables.applyBatch(batch);
      if (done) return [appliance.name, appliance.version, tables.text()];
    }
  });
}

/** A run in which routers told all this, one after the other; it ends with everything worked in. */
async function lastRunOf(store: SqliteStore, where: string): Promise<unknown> {
  const { engine, service, lastRun } = await start(store, where);
  await service.close();
  await engine.commit(OBJECTS);
  const again = new LastRun(where, store.stateId, 'controller');
  const paths = again.imports({ destinations: [{ address: parseAddress('192.168.9.0')!, length: 24 }], own: new Set() });
  assert.equal(lastRun.routes, []);
  const present = new Map<string, ReceivedPath>();
  for (const each of TOLD) {
    present.set(receivedKey(each), each);
    again.received.write([{ before: undefined, after: each }], present);
    await engine.changeImported([], paths.change([{ before: undefined, after: each }], 0).come);
  }
  again.received.markWorkedIn();
  again.received.close();
  return stateOf(engine);
}

test('a start after an end in order is the same state, and no version', async () => {
  const store = new SqliteStore(':memory:');
  const where = directory();
  const before = await lastRunOf(store, where);
  const { version } = store;
  const { engine, service } = await start(store, where);
  assert.is(store.version, version);
  assert.equal(stateOf(engine), before);
  assert.is([...engine.compiler.imported].length, TOLD.length);
  await service.close();
  store.close();
});

test('what the disk has lost is a version that resyncs whoever had it', async () => {
  const store = new SqliteStore(':memory:');
  await lastRunOf(store, directory());
  const { version } = store;
  const { engine, service } = await start(store, directory());
  assert.is(store.version, version + 1);
  assert.is(engine.changesSince('c1', version), undefined, 'a resync');
  assert.not(engine.numbering.hasJournal);
  assert.not(engine.hasUnusedNexthops);
  await service.close();
  store.close();
});

test.run();
