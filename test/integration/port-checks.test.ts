// needs: netns
// limit: 240 s
//
// What keeps a port from coming up, or from working well, is told with what to do about it.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Namespaces } from '../lab/netns.ts';
import { DataplaneProcess } from './dataplane/process.ts';

const RING = { receive: 1024, transmit: 1024 };

interface World { namespaces: Namespaces }
const test = suite<World>('port checks');
test.before((world) => {
  world.namespaces = new Namespaces();
  world.namespaces.add('box');
  world.namespaces.ip('box', 'link add v0 numrxqueues 2 numtxqueues 2 type veth peer name v1 numrxqueues 2 numtxqueues 2');
  for (const device of ['v0', 'v1']) world.namespaces.ip('box', `link set dev ${device} up`);
});
test.after(({ namespaces }) => namespaces.close());

/** Starts with one port on v0, the process limited by `limits`; tells the port's problem, mode and queues, and the warnings logged. */
async function attempt({ namespaces }: World, driver: string, queues: number, limits: readonly string[] = []): Promise<{ problem: string; mode: string; queues: number; warnings: string }> {
  const within = ['ip', 'netns', 'exec', namespaces.full('box'), ...limits];
  const dataplane = await DataplaneProcess.start({ within, profile: { ports: [{ name: 'p', driver, device: 'v0', queues, ring: RING, mtu: 1500 }] } });
  try {
    const { problem, mode, queues: bound } = (await dataplane.client.ports()).ports[0]!;
    return { problem, mode, queues: bound.length, warnings: dataplane.log };
  } finally {
    await dataplane.stop();
  }
}

test('more queues than the device has: all that it has are served, natively', async (world) => {
  const { problem, mode, queues, warnings } = await attempt(world, 'af_xdp', 4);
  assert.equal([problem, mode, queues], ['', 'copy', 2]);
  assert.match(warnings, /v0 has 2 receive queues where the profile says 4/);
});

test('fewer queues than the device has: none is left to the kernel', async (world) => {
  const { problem, mode, queues } = await attempt(world, 'af_xdp', 1);
  assert.equal([problem, mode, queues], ['', 'copy', 2]);
});

test('a peer that leaves checksums undone', async (world) => {
  assert.match((await attempt(world, 'af_xdp', 2)).warnings, /its peer v1 leaves checksums to hardware that is not there.*ethtool -K v1 tx off/);
});

test('missing capabilities', async (world) => {
  const xdp = await attempt(world, 'af_xdp', 2, ['setpriv', '--bounding-set=-net_raw,-bpf,-sys_admin']);
  assert.match(xdp.problem, /needs CAP_NET_RAW, CAP_BPF: run as root/);
  const packet = await attempt(world, 'af_packet', 1, ['setpriv', '--bounding-set=-net_admin']);
  assert.match(packet.problem, /needs CAP_NET_ADMIN: run as root/);
});

test('too little memory may be locked', async (world) => {
  const { problem } = await attempt(world, 'af_xdp', 2, ['prlimit', '--memlock=65536', 'setpriv', '--bounding-set=-ipc_lock']);
  assert.match(problem, /64 MiB of frames must be locked into memory, the limit is 64 KiB: give CAP_IPC_LOCK/);
});

test('a device that another process has', async (world) => {
  const within = ['ip', 'netns', 'exec', world.namespaces.full('box')];
  const owner = await DataplaneProcess.start({ within, profile: { ports: [{ name: 'p', driver: 'af_xdp', device: 'v0', queues: 2, ring: RING, mtu: 1500 }] } });
  try {
    assert.match((await attempt(world, 'af_xdp', 2)).problem, /another XDP program is attached/);
  } finally {
    await owner.stop();
  }
});

test.run();
