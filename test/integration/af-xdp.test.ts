// needs: netns
// limit: 300 s
//
// Ports on Linux devices, in namespaces of the test's own: ping and TCP pass through a real dataplane process by AF_XDP (one
// queue, and two over two lcores), by AF_PACKET, and by a TAP device.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Namespaces } from '../lab/netns.ts';
import type { PortState } from '../../proto/dataplane.ts';
import { DataplaneProcess } from './dataplane/process.ts';
import { LEFT, RIGHT, ROUTER, ROUTER_NAMES } from './dataplane/router.ts';

const MEBIBYTE = 1 << 20;
const RING = { receive: 1024, transmit: 1024 };

interface World { namespaces: Namespaces; dataplane: DataplaneProcess | undefined }

/** left ── l0 (dataplane) r0 ── right */
function build(namespaces: Namespaces, queues: number): void {
  for (const name of ['left', 'box', 'right']) namespaces.add(name);
  for (const [name, device, side] of [['left', 'l0', LEFT], ['right', 'r0', RIGHT]] as const) {
    namespaces.link({ namespace: name, device: 'eth0' }, { namespace: 'box', device }, { queues });
    namespaces.ip(name, `address add ${side.host}/24 dev eth0`);
    namespaces.ip(name, `route add default via ${side.address}`);
  }
}

async function start(world: World, driver: string, queues: number, lcores: number): Promise<DataplaneProcess> {
  const ports = [['left', 'l0'], ['right', 'r0']].map(([name, device]) => ({ name, driver, device, queues, ring: RING, mtu: 1500 }));
  const within = ['ip', 'netns', 'exec', world.namespaces.full('box')];
  const dataplane = await DataplaneProcess.start({ within, profile: { lcores, ports } });
  world.dataplane = dataplane;
  assert.equal((await dataplane.apply(ROUTER, ROUTER_NAMES, 1)).refusals, []);
  return dataplane;
}

/** Sends bytes from left to right by TCP; what arrived, by its length and hash, as the receiver prints it. */
async function transfer(namespaces: Namespaces, bytes: number): Promise<string> {
  const receive = `require('net').createServer({allowHalfOpen:true},s=>{const h=require('crypto').createHash('sha256');let n=0;s.on('data',d=>{h.update(d);n+=d.length});s.on('end',()=>{console.log(n,h.digest('hex'));s.end();process.exit(0)})}).listen(9000,()=>console.log('ready'))`;
  const send = `const s=require('net').connect(9000,'${RIGHT.host}');s.on('connect',()=>{const h=require('crypto').createHash('sha256');const b=require('crypto').randomBytes(${bytes});h.update(b);console.log(b.length,h.digest('hex'));s.end(b)});s.on('error',e=>{console.error(e.message);process.exit(1)});s.setTimeout(30000,()=>process.exit(1))`;
  const [program, args] = namespaces.command('right', process.execPath, ['-e', receive]);
  const receiver = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  receiver.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  try {
    while (!output.includes('ready')) await sleep(20);
    const ended = new Promise((resolve) => receiver.once('exit', resolve));
    const [sender, senderArgs] = namespaces.command('left', process.execPath, ['-e', send]);
    const child = spawn(sender, senderArgs, { stdio: ['ignore', 'pipe', 'inherit'] });
    let sent = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      sent += text;
    });
    await Promise.race([ended, sleep(40_000)]);
    assert.is(output.replace('ready\n', ''), sent);
    assert.match(sent, new RegExp(`^${bytes} `));
    return sent;
  } finally {
    receiver.kill('SIGKILL');
  }
}

function driverSuite(title: string, driver: string, queues: number, lcores: number, mode: RegExp): void {
  const test = suite<World>(title, { namespaces: undefined as unknown as Namespaces, dataplane: undefined });
  test.before((world) => {
    world.namespaces = new Namespaces();
    build(world.namespaces, queues);
  });
  test.after(async ({ dataplane, namespaces }) => {
    await dataplane?.stop();
    namespaces.close();
  });

  test('ping and TCP pass', async (world) => {
    const dataplane = await start(world, driver, queues, lcores);
    const { ports } = await dataplane.client.ports();
    for (const port of ports) {
      assert.ok(port.up, `${port.problem}\n${dataplane.log}`);
      assert.match(port.mode, mode);
      assert.is(port.queues.length, queues);
    }
    const ping = world.namespaces.run('left', 'ping', ['-c', '10', '-i', '0.02', '-W', '1', RIGHT.host]);
    assert.match(ping, /10 received/);
    await transfer(world.namespaces, 20 * MEBIBYTE);
    const counters = await dataplane.client.counters();
    assert.is(counters.received + counters.originated, counters.transmitted + counters.dropped + counters.held);
    for (const { name } of counters.drops) assert.ok(['arp_learnt', 'arp_not_for_us', 'ethertype_unknown'].includes(name), `dropped: ${name}`);
  });

  test('a port goes and comes back while the other forwards', async ({ dataplane, namespaces }) => {
    assert.ok(dataplane);
    await dataplane.client.attachPort({ name: 'spare', driver: 'memory', device: 'nobody' });
    await dataplane.client.detachPort({ name: 'spare' });
    namespaces.ip('box', 'link set dev r0 down');
    await sleep(50);
    assert.is((await dataplane.client.ports()).ports.find(({ port }) => port?.name === 'right')?.up, false);
    namespaces.ip('box', 'link set dev r0 up');
    const ping = namespaces.run('left', 'ping', ['-c', '20', '-i', '0.1', '-W', '1', RIGHT.host]);
    assert.match(ping, / (1[5-9]|20) received/);
  });
  test.run();
}

/** Waits until a port is (not) up; its last state. */
async function portState(dataplane: DataplaneProcess, name: string, up: boolean): Promise<PortState> {
  for (let attempt = 0; ; attempt++) {
    const state = (await dataplane.client.ports()).ports.find(({ port }) => port?.name === name);
    assert.ok(state);
    if (state.up === up || attempt === 200) return state;
    await sleep(100);
  }
}

const life = suite<World>('devices that come and go');
life.before((world) => {
  world.namespaces = new Namespaces();
  for (const name of ['box', 'right']) world.namespaces.add(name);
});
life.after(async ({ dataplane, namespaces }) => {
  await dataplane?.stop();
  namespaces.close();
});
const connectRight = (namespaces: Namespaces): void => {
  namespaces.link({ namespace: 'right', device: 'eth0' }, { namespace: 'box', device: 'r0' });
  namespaces.ip('right', `address add ${RIGHT.host}/24 dev eth0`);
  namespaces.ip('right', `route add default via ${RIGHT.address}`);
};

life('a TAP device is made; an AF_XDP port waits for its device, follows it away and back', async (world) => {
  const { namespaces } = world;
  const ports = [
    { name: 'left', driver: 'tap', device: 't0', queues: 1, ring: RING, mtu: 1500 },
    { name: 'right', driver: 'af_xdp', device: 'r0', queues: 1, ring: RING, mtu: 1500 },
  ];
  const dataplane = await DataplaneProcess.start({ within: ['ip', 'netns', 'exec', namespaces.full('box')], profile: { ports } });
  world.dataplane = dataplane;
  await dataplane.apply(ROUTER, ROUTER_NAMES, 1);
  namespaces.ip('box', `address add ${LEFT.host}/24 dev t0`);
  namespaces.ip('box', `route add 10.2.0.0/24 via ${LEFT.address}`);
  assert.match((await portState(dataplane, 'right', false)).problem, /port "right": there is no device "r0" in this network namespace; create it/);
  for (const round of ['first', 'second']) {
    connectRight(namespaces);
    const state = await portState(dataplane, 'right', true);
    assert.ok(state.up, state.problem);
    assert.match(namespaces.run('box', 'ping', ['-c', '10', '-i', '0.05', '-W', '1', RIGHT.host]), / ([5-9]|10) received/, `${round} time`);
    namespaces.ip('box', 'link delete r0');
    assert.match((await portState(dataplane, 'right', false)).problem, /no device "r0"|carrier/);
    assert.ok((await portState(dataplane, 'left', true)).up);
  }
});
life.run();

driverSuite('af_xdp, one queue', 'af_xdp', 1, 1, /copy/);
driverSuite('af_xdp, two queues on two lcores', 'af_xdp', 2, 2, /copy/);
driverSuite('af_packet', 'af_packet', 1, 1, /recvmmsg/);
