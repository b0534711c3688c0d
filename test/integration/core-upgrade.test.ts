// limit: 120 s
//
// The forwarding core is replaced while it forwards: nothing is lost, nothing is overtaken; what is no good never goes live, or is taken back.
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { credentials, status } from '@grpc/grpc-js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CORE_FILE } from '../../firmware/host/core.ts';
import { signCore, signerId } from '../../firmware/host/core-signature.ts';
import { ForwardingCore, type ForwardingCoreMethods } from '../../proto/core.ts';
import { createClient, unixAddress, type Client } from '../../proto/load.ts';
import { LAYOUT_VERSION, NHK_INTERFACE } from '../../wasm-core/layout.ts';
import { counting, ethernet, ipv4, udp, type Bytes } from '../fixtures/frame.ts';
import { nexthop, route } from '../fixtures/records.ts';
import { shamCore, SHAMS } from '../fixtures/sham-core.ts';
import { DataplaneProcess, type ProcessOptions } from './dataplane/process.ts';
import { LEFT, RIGHT, ROUTER, ROUTER_NAMES, VRF } from './dataplane/router.ts';
import { Wire } from './dataplane/wire.ts';

interface World { folder: string; left: Wire; right: Wire; options: ProcessOptions; dataplane: DataplaneProcess; core: Client<ForwardingCoreMethods> }

const installed = readFileSync(CORE_FILE);
/** The same code in other bytes: a custom section more. */
const next = Buffer.concat([installed, Buffer.from([0, 6, 4, ...Buffer.from('next'), 1])]);
const { privateKey } = generateKeyPairSync('ed25519');
const signed = (core: Buffer): Buffer => signCore(core, privateKey);
const WATCH_MS = 200;

const HOST_MAC = '02:00:00:00:02:09';
const TABLES = [...ROUTER, nexthop({ id: 9, kind: NHK_INTERFACE, interface: RIGHT.id, remote: RIGHT.host, mac: HOST_MAC }), route({ vrf: VRF, prefix: `${RIGHT.host}/32`, nexthop: 9 })];

function frame(sequence: number): Bytes {
  const addresses = { src: LEFT.host, dst: RIGHT.host };
  return ethernet({ dst: LEFT.mac, src: '02:00:00:00:01:09' }, ipv4({ ...addresses, protocol: 17, id: sequence & 0xFFFF, ttl: 64 }, udp({ ...addresses, sport: 1, dport: 2 }, counting(64))));
}

const clientOf = ({ directory }: DataplaneProcess): Client<ForwardingCoreMethods> => createClient(ForwardingCore, unixAddress(join(directory, 'dataplane.sock')), credentials.createInsecure());

async function refused(core: Client<ForwardingCoreMethods>, bytes: Buffer, text: RegExp): Promise<void> {
  const before = await core.getCore();
  await core.upgradeCore({ core: bytes, watchMs: WATCH_MS }).then(
    () => assert.unreachable(`taken, and not refused by ${text}`),
    (error: Error & { code?: number }) => {
      assert.is(error.code, status.FAILED_PRECONDITION);
      assert.match(error.message, text);
    },
  );
  assert.equal(await core.getCore(), before);
}

const test = suite<World>('core upgrade', {} as World);

test.before(async (world) => {
  world.folder = mkdtempSync(join(tmpdir(), 'wrouter-core-'));
  writeFileSync(join(world.folder, 'signer.pem'), createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }));
  writeFileSync(join(world.folder, 'core.wasm'), signed(installed));
  world.left = await Wire.open();
  world.right = await Wire.open();
  const ports = [['left', world.left], ['right', world.right]].map(([name, wire]) => ({ name, driver: 'socket', device: (wire as Wire).device, queues: 1, ring: { receive: 1024, transmit: 1024 }, mtu: 1500 }));
  world.options = { profile: { ports, lcores: 2 }, args: ['--core', join(world.folder, 'core.wasm'), '--core-keys', world.folder] };
  world.dataplane = await DataplaneProcess.start(world.options);
  world.core = clientOf(world.dataplane);
  assert.equal((await world.dataplane.apply(TABLES, ROUTER_NAMES, 1)).refusals, []);
});
test.after(async ({ folder, left, right, dataplane, core }) => {
  core?.close();
  await dataplane?.stop();
  left?.close();
  right?.close();
  rmSync(folder, { recursive: true, force: true });
});

test('what is no good never goes live', async ({ core }) => {
  await refused(core, installed, /is not signed/);
  await refused(core, signCore(installed, generateKeyPairSync('ed25519').privateKey), /not trusted here/);
  await refused(core, signed(installed).fill(1, 5000, 5001), /changed after it was signed/);
  await refused(core, signed(Buffer.from([0, 0x61, 0x73, 0x6D, 1, 0, 0, 0])), /imports nothing; a core imports env\.memory/);
  await refused(core, signed(shamCore(SHAMS.otherLayout)), new RegExp(`built for memory map 99, this host has ${LAYOUT_VERSION}`));
  await refused(core, signed(shamCore(SHAMS.traps, [0x41, LAYOUT_VERSION, 0x0B])), /cannot be rehearsed: unreachable/);
  await refused(core, signed(shamCore([0x41, 0, 0x0B], [0x41, LAYOUT_VERSION, 0x0B])), /does not forward as it should: golden frame "/);
});

test('a core that hangs with the golden frames is ended', async ({ core }) => {
  await refused(core, signed(shamCore(SHAMS.hangs, [0x41, LAYOUT_VERSION, 0x0B])), /hangs: the golden frames took it more than 10000 ms/);
});

test('cores change under traffic: every frame arrives, none is overtaken', async (world) => {
  const { core, left, right, dataplane } = world;
  const COUNT = 3000;
  right.clear();
  let sending = true;
  const sender = (async () => {
    for (let sent = 0; sent < COUNT; sent++) {
      left.send(frame(sent));
      if (sent % 2 === 1) await sleep(1);
    }
    sending = false;
  })();
  let changes = 0;
  for (; sending; changes++) {
    const bytes = signed(changes % 2 === 0 ? next : installed);
    const reply = await core.upgradeCore({ core: bytes, watchMs: WATCH_MS });
    assert.is(reply.rolledBack, '');
    assert.is(reply.pauseUs.length, 2);
    assert.ok(reply.rehearsed > 100);
    assert.is(reply.core!.signer, signerId(privateKey));
  }
  await sender;
  assert.ok(changes > 0);
  assert.is(await right.arrived(COUNT, 3000), COUNT);
  assert.equal(right.frames.map((bytes) => bytes.readUInt16BE(18)), Array.from({ length: COUNT }, (_, i) => i));
  const { dropped, drops } = await dataplane.client.counters();
  assert.equal([dropped, drops], [0, []]);
});

test('at full load nothing is dropped either', async ({ options }) => {
  const dataplane = await DataplaneProcess.start({ args: options.args! });
  const core = clientOf(dataplane);
  try {
    const { client } = dataplane;
    assert.equal((await dataplane.apply(ROUTER, ROUTER_NAMES)).refusals, []);
    assert.ok((await client.attachPort({ name: RIGHT.port, driver: 'generator', device: 'sink' })).up);
    assert.ok((await client.attachPort({ name: LEFT.port, driver: 'generator', device: `${LEFT.host}>10.2.0.64/29,60` })).up);
    while ((await client.generator({ port: RIGHT.port })).seen.length === 0) await sleep(20);
    const before = (await client.lcores()).lcores[0]!;
    for (const bytes of [next, installed, next]) assert.is((await core.upgradeCore({ core: signed(bytes), watchMs: WATCH_MS })).rolledBack, '');
    await client.detachPort({ name: LEFT.port });
    await sleep(200);
    const { taken } = await client.generator({ port: RIGHT.port });
    const { received, originated, transmitted, drops } = await client.counters();
    const after = (await client.lcores()).lcores[0]!;
    assert.ok(after.packets > before.packets, 'it forwarded meanwhile');
    assert.is(taken, transmitted);
    const named = drops.filter(({ name }) => name !== 'neighbour_queue_full' && name !== 'arp_learnt' && !(name === 'lcore_restart' && after.restarts > before.restarts));
    assert.equal(named, [], 'nothing but what ARP explains is dropped');
    assert.is(received + originated, transmitted + drops.reduce((sum, { packets }) => sum + packets, 0));
  } finally {
    core.close();
    await dataplane.stop();
  }
});

test('a core that traps while it is watched is taken back', async ({ core, dataplane: { client } }) => {
  const before = await core.getCore();
  const fresh = before.sha256 === before.installedSha256 ? next : installed;
  const upgrade = core.upgradeCore({ core: signed(fresh), watchMs: 20_000 });
  for (let running = before; running.sha256 === before.sha256; running = await core.getCore()) await sleep(20);
  await client.injectFault({ lcore: 0, fault: 'trap' });
  const reply = await upgrade;
  assert.match(reply.rolledBack, /lcore 0 trapped or hung/);
  assert.is(reply.core!.sha256, before.sha256);
});

test('what was kept runs after a restart; an installation that brings another core has the word', async (world) => {
  const { core, folder } = world;
  const reply = await core.upgradeCore({ core: signed(next), watchMs: WATCH_MS });
  assert.is(reply.rolledBack, '');
  const { directory } = world.dataplane;
  const restart = async (): Promise<string> => {
    world.core.close();
    await world.dataplane.stop(true);
    world.dataplane = await DataplaneProcess.start({ ...world.options, directory });
    world.core = clientOf(world.dataplane);
    return (await world.core.getCore()).sha256;
  };
  assert.is(await restart(), reply.core!.sha256);
  const later = Buffer.concat([installed, Buffer.from([0, 7, 5, ...Buffer.from('later'), 1])]);
  writeFileSync(join(folder, 'core.wasm'), signed(later));
  const running = await restart();
  assert.is.not(running, reply.core!.sha256);
  assert.is(running, (await world.core.getCore()).installedSha256);
});

test.run();
