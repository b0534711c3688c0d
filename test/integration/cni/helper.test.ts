// The CNI plugin's two programs, C and Node, against the agent's socket: they say the same, whatever happens to them.
// needs: gcc
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CniError, CODE } from '../../../mgmt/agent/cni/errors.ts';
import type { Request } from '../../../mgmt/agent/cni/request.ts';
import { serveCni } from '../../../mgmt/agent/cni/server.ts';

const BUILD = fileURLToPath(new URL('../../../mgmt/cni/build.ts', import.meta.url));
const SCRIPT = fileURLToPath(new URL('../../../mgmt/cni/wrouter.ts', import.meta.url));

interface Context { folder: string; socket: string; asked: Request[]; answer: (request: Request, gone: AbortSignal) => Promise<object | undefined>; close: () => void }
const test = suite<Context>('cni helper', {} as Context);
test.before((context) => {
  context.folder = mkdtempSync(join(tmpdir(), 'wrouter-cni-'));
  const { status, stderr } = spawnSync(process.execPath, [BUILD, context.folder], { encoding: 'utf8' });
  assert.is(status, 0, stderr);
});
test.after(({ folder }) => rmSync(folder, { recursive: true }));
test.before.each(async (context) => {
  context.socket = join(context.folder, 'run/cni.sock');
  context.asked = [];
  context.close = await serveCni({ run: (request, gone) => { context.asked.push(request); return context.answer(request, gone); } }, context.socket, () => {});
});
test.after.each(({ close }) => close());

const ADD = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/p', CNI_IFNAME: 'eth0', CNI_ARGS: 'K8S_POD_NAMESPACE=default;K8S_POD_NAME=ü', CNI_PATH: '/opt/cni/bin', SECRET: 'x' };
const NETWORK = JSON.stringify({ cniVersion: '1.0.0', name: 'wrouter', type: 'wrouter' });

/** What both programs say, which must be the same. */
async function call({ folder, socket }: Context, environment: Record<string, string>, input: string, path = socket): Promise<{ code: number; output: string }> {
  const said = await Promise.all([[join(folder, 'wrouter')], [process.execPath, SCRIPT]].map(async ([program, ...args]) => {
    const child = spawn(program!, args, { env: { WROUTER_CNI_SOCKET: path, ...environment }, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close') as Promise<[number]>]);
    return { code, output };
  }));
  assert.is(said[0]!.code, said[1]!.code, 'the exit codes of both programs');
  return said[0]!;
}

test('environment and input go in, the answer and its code come out', async (context) => {
  context.answer = async () => ({ cniVersion: '1.0.0', interfaces: [] });
  const { code, output } = await call(context, ADD, NETWORK);
  assert.equal([code, JSON.parse(output)], [0, { cniVersion: '1.0.0', interfaces: [] }]);
  for (const asked of context.asked) assert.equal(asked.command === 'ADD' && [asked.key, asked.netns, asked.pod], [{ containerId: 'c1', ifname: 'eth0' }, '/run/netns/p', { namespace: 'default', name: 'ü', uid: '' }]);
  assert.is(context.asked.length, 2);
  context.answer = async () => undefined;
  assert.equal(await call(context, { ...ADD, CNI_COMMAND: 'DEL' }, NETWORK), { code: 0, output: '' });
});

test('an error is told on standard output, in the version that was asked in', async (context) => {
  context.answer = async () => { throw new CniError(CODE.tryAgain, 'later', 'soon'); };
  const { code, output } = await call(context, ADD, NETWORK);
  assert.equal([code, JSON.parse(output)], [1, { cniVersion: '1.0.0', code: 11, msg: 'later', details: 'soon' }]);
  assert.is((JSON.parse((await call(context, {}, '')).output) as { code: number }).code, CODE.invalidEnvironment);
});

test('a result of a MiB comes through whole, both ways', async (context) => {
  const long = 'x'.repeat(1 << 20);
  context.answer = async () => ({ long });
  const { output } = await call(context, ADD, JSON.stringify({ ...JSON.parse(NETWORK) as object, prevResult: { long } }));
  assert.is((JSON.parse(output) as { long: string }).long.length, long.length);
  assert.is(context.asked.every((asked) => asked.command === 'ADD' && (asked.configuration.previous?.whole['long'] as string).length === long.length), true);
});

test('VERSION needs no agent; without one, everything else says so in CNI\'s form', async (context) => {
  assert.equal(JSON.parse((await call(context, { CNI_COMMAND: 'VERSION' }, '{"cniVersion":"1.0.0"}', '/nowhere')).output), { cniVersion: '1.1.0', supportedVersions: ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] });
  for (const [command, number] of [['ADD', 11], ['DEL', 11], ['STATUS', 50]] as const) {
    const { code, output } = await call(context, { ...ADD, CNI_COMMAND: command }, NETWORK, '/no"where');
    const error = JSON.parse(output) as { code: number; details: string };
    assert.equal([code, error.code], [1, number]);
    assert.match(error.details, /where/);
  }
});

test('an agent that ends in the middle is told as one that should be asked again', async (context) => {
  context.answer = () => new Promise(() => {});
  const calling = call(context, ADD, NETWORK);
  while (context.asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
  context.close();
  const { code, output } = await calling;
  assert.equal([code, (JSON.parse(output) as { code: number }).code], [1, 11]);
});

test('a runtime that gives up is noticed', async (context) => {
  const noticed = new Promise<void>((resolve) => {
    context.answer = (_, gone) => new Promise((answer) => { gone.addEventListener('abort', () => { resolve(); answer(undefined); }); });
  });
  const child = spawn(join(context.folder, 'wrouter'), { env: { WROUTER_CNI_SOCKET: context.socket, ...ADD }, stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin.end(NETWORK);
  while (context.asked.length < 1) await new Promise((resolve) => setImmediate(resolve));
  child.kill('SIGKILL');
  await noticed;
});

test('the socket is its owner\'s; one that was left behind is taken, one that is served is not; nonsense ends the connection', async ({ socket, folder }) => {
  assert.is(statSync(socket).mode & 0o777, 0o600);
  await serveCni({ run: async () => undefined }, socket, () => {}).then(() => assert.unreachable(), (error: Error) => assert.match(error.message, /another process serves/));
  const left = join(folder, 'left.sock');
  writeFileSync(left, '');
  (await serveCni({ run: async () => undefined }, left, () => {}))();
  assert.is(existsSync(left), false);
  const greedy = connect(socket);
  greedy.on('error', () => {});
  greedy.write(Buffer.of(255, 255, 255, 255, 1));
  await once(greedy, 'close');
});

test.run();
