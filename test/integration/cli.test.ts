// needs: linux
// limit: 300 s
/** The command line against a real data plane, through a real agent and through its socket. */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ethernetFrame, ipv4Packet, mac } from '../../mgmt/cli/frame.ts';
import { Scene, until } from './agent/scene.ts';
import { DataplaneProcess } from './dataplane/process.ts';
import { LEFT, RIGHT, ROUTER, ROUTER_NAMES } from './dataplane/router.ts';

const WROUTER = fileURLToPath(new URL('../../mgmt/cli/wrouter.ts', import.meta.url));

interface Run { code: number; out: string; error: string }
interface Context {
  scene: Scene; dataplane: DataplaneProcess; context: string;
  run(...args: string[]): Promise<Run>;
  /** Standard output of a command that must succeed. */
  out(...args: string[]): Promise<string>;
}

const test = suite<Context>('wrouter', {} as Context);

function wrouter(context: string, args: readonly string[]): Promise<Run> {
  return new Promise((resolve) => execFile(process.execPath, [WROUTER, '--context', context, ...args], (error, out, errors) => resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, error: errors })));
}

test.before(async (context) => {
  const scene = context.scene = await Scene.set();
  context.dataplane = await DataplaneProcess.start();
  scene.socket = join(context.dataplane.directory, 'dataplane.sock');
  scene.history.add({
    batches: ROUTER.map(({ kind, bytes }) => ({ kind, count: 1, records: Buffer.from(bytes) })),
    names: ROUTER_NAMES.map(({ of = 'UNKNOWN', id = 0, name = '', port = '' }) => ({ of, id, name, port })),
  });
  await scene.startController();
  scene.startAgent();
  const operator = await scene.operations();
  await until(() => (scene.controller.session?.acks.at(-1)?.version ?? 0) === 1, () => `version 1 is live; the agent said ${scene.log}`);
  const address = scene.log.match(/operators are served at ([^"]+)"/)![1]!;
  assert.is((await operator.getState()).dataplane?.version, 1);
  context.context = join(scene.folder, 'context.json');
  writeFileSync(context.context, JSON.stringify({ pki: '.', as: 'alice', appliances: { compute: address, other: '127.0.0.1:1' } }));
  context.run = (...args) => wrouter(context.context, args);
  context.out = async (...args) => {
    const { code, out, error } = await wrouter(context.context, args);
    assert.is(code, 0, `wrouter ${args.join(' ')}: ${error}`);
    return out;
  };
});
test.after(async ({ scene, dataplane }) => {
  await scene.end();
  await dataplane.stop();
});

const lines = (text: string): string[][] => text.trim().split('\n').map((line) => line.trim().split(/\s{2,}/));

test('state: version, session, records', async ({ out, scene }) => {
  const text = await out('state', '--on', 'compute');
  assert.match(text, /^appliance +compute$/m);
  assert.match(text, /^version +1$/m);
  assert.ok(text.includes(`simulated at ${scene.controllerAddress}, in session since`), text);
  const state = JSON.parse(await out('state', '--on', 'compute', '-o', 'json')) as { dataplane: { totals: Record<string, number> } };
  assert.is(Object.values(state.dataplane.totals).reduce((sum, total) => sum + total, 0) > 0, true);
});

test('rt: a VRF by number or by name, whole or by the address that is matched', async ({ run, out }) => {
  const whole = await out('rt', '1', '--on', 'compute');
  assert.equal(lines(whole).map(([prefix]) => prefix), ['PREFIX', '10.1.0.0/24', '10.2.0.0/24']);
  const match = await out('rt', 'plain', RIGHT.host, '--on', 'compute');
  assert.equal(lines(match).map(([prefix]) => prefix), ['PREFIX', '10.2.0.0/24']);
  assert.match(await out('rt', '1', '192.0.2.1', '--on', 'compute'), /^no route to 192.0.2.1 in VRF 1/);
  const unknown = await run('rt', 'nowhere', '--on', 'compute');
  assert.equal([unknown.code, unknown.error.includes('no VRF "nowhere"; there are ')], [2, true]);
});

test('vif: all, one in full, through the agent and through the socket alike', async ({ out, scene }) => {
  const all = await out('vif', '--on', 'compute');
  assert.equal(lines(all).slice(1).map(([id, name]) => [id, name]), [['1', 'plain:left'], ['2', 'plain:right']]);
  assert.is(await out('vif', '--socket', scene.socket), all);
  const one = await out('vif', 'right', '--on', 'compute');
  assert.match(one, /^interface +2 plain:right$/m);
  assert.match(one, new RegExp(`^mac +${RIGHT.mac}$`, 'm'));
  assert.match(one, /^received +0 packets, 0 bytes$/m);
});

test('trace: a packet built, as hex and from a capture takes the same way', async ({ out, scene }) => {
  const built = await out('trace', '--on', 'compute', '-i', 'left', '--src', LEFT.host, '--dst', RIGHT.host, '--tcp', '41000:443', '--smac', '02:00:00:00:00:09');
  for (const node of ['ethernet-input', 'ip4-input', 'ip4-lookup']) assert.match(built, new RegExp(node));
  assert.match(built, /10\.2\.0\.0\/24/);
  const frame = ethernetFrame(mac(LEFT.mac), mac('02:00:00:00:00:09'), 0, ipv4Packet({ protocol: 'tcp', source: LEFT.host, destination: RIGHT.host, sourcePort: 41000, destinationPort: 443, ttl: 64, dontFragment: false }));
  assert.is(await out('trace', '--on', 'compute', '-i', 'left', '--hex', frame.toString('hex')), built);
  const capture = join(scene.folder, 'seen.pcap');
  const head = Buffer.from('d4c3b2a1020004000000000000000000ffff000001000000' + '0100000002000000', 'hex');
  const length = Buffer.alloc(8);
  length.writeUInt32LE(frame.length, 0);
  length.writeUInt32LE(frame.length, 4);
  writeFileSync(capture, Buffer.concat([head, length, frame]));
  assert.is(await out('trace', '--socket', scene.socket, '-i', '1', '--from-pcap', capture), built);

  const dropped = JSON.parse(await out('trace', '--on', 'compute', '-i', 'left', '--src', LEFT.host, '--dst', '203.0.113.5', '--json')) as { verdict: string; drop: string };
  assert.equal([dropped.verdict, dropped.drop], ['drop', 'no_route']);
});

test('nh, mpls, fip, neigh, vrf, drops, counters, lcores, ports, refusals answer', async ({ run, out }) => {
  assert.equal(lines(await out('nh', '2', '--on', 'compute')).map(([id]) => id), ['ID', '2']);
  assert.match(await out('mpls', '--on', 'compute'), /^no labels/);
  assert.match(await out('fip', '--on', 'compute'), /^no floating IPs/);
  assert.is((await run('neigh', '--on', 'compute')).code, 0);
  assert.match(await out('vrf', '--on', 'compute'), /plain/);
  assert.match(await out('drops', '--on', 'compute'), /^nothing was dropped/);
  assert.match(await out('drops', '--log', '5', '--on', 'compute'), /^nothing was dropped/);
  assert.match(await out('counters', '--on', 'compute'), /^0 received \+ 0 originated = 0 transmitted \+ 0 dropped \+ 0 held\n/);
  assert.match(await out('lcores', '--on', 'compute'), /^ID +STATE/);
  assert.match(await out('ports', '--on', 'compute'), /left +down .*there is no device "left" yet/);
  assert.match(await out('refusals', '--on', 'compute'), /^nothing is refused/);
});

test('--watch reads again and again, a line of JSON each', async ({ context, scene }) => {
  const child = execFile(process.execPath, [WROUTER, '--context', context, 'counters', '--socket', scene.socket, '-w', '0.1', '--json']);
  let out = '';
  child.stdout!.on('data', (text: string) => { out += text; });
  try {
    await until(() => out.split('\n').length > 3, 'three readings');
  } finally {
    child.kill();
  }
  const times = out.split('\n').slice(0, 3).map((line) => (JSON.parse(line) as { timeUs: number }).timeUs);
  assert.ok(times[1]! > times[0]! && times[2]! > times[1]!);
});

test('what goes wrong is said in a line, with an exit code: 2 for the command, 1 for the answer', async ({ run }) => {
  const cases: [args: string[], code: number, text: RegExp][] = [
    [['vif'], 2, /which appliance\? --on NODE \(known are compute, other\)/],
    [['vif', '--on', 'nobody'], 2, /no appliance "nobody"/],
    [['vif', '--on', 'other'], 1, /it cannot be reached: /],
    [['vif', '--on', 'compute', '--as', 'mallory'], 2, /mallory\.crt is missing/],
    [['vif', '--on', 'compute', '--as', 'impostor'], 1, /"impostor" is of role "appliance"; this takes operator or controller/],
    [['trace', '--on', 'compute', '-i', 'left', '--src', '10.1.0.9'], 2, /a packet needs --src and --dst/],
    [['trace', '--on', 'compute', '-i', 'middle', '--src', '10.1.0.9', '--dst', '10.2.0.9'], 2, /no interface "middle"; there are 1 plain:left, 2 plain:right/],
    [['trace', '--on', 'compute', '-i', 'left', '--hex', 'xyz'], 2, /not whole bytes of hex/],
    [['drops', '--log', 'x', '--on', 'compute'], 2, /"x" is not a whole number above 0/],
    [['list'], 2, /which controller\? --controller HOST:PORT/],
    [['vif', '--on', 'compute', '-o', 'xml'], 1, /Allowed choices are table, json/],
  ];
  for (const [args, code, text] of cases) {
    const result = await run(...args);
    assert.match(result.error, text, args.join(' '));
    assert.is(result.code, code, `${args.join(' ')}: ${result.error}`);
    assert.not.match(result.error, /\n\s+at /, 'no stack');
  }
});

test.run();
