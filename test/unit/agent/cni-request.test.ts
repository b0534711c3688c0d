// What a runtime may ask in which form, what it is answered, and what is refused with which of CNI's codes.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Attachment } from '../../../mgmt/agent/cni/attachments.ts';
import { CniError, CODE, errorAnswer } from '../../../mgmt/agent/cni/errors.ts';
import { parseRequest, splitRequest, type Configuration } from '../../../mgmt/agent/cni/request.ts';
import { resultOf } from '../../../mgmt/agent/cni/result.ts';

const POD = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_UID=u-1';
const ENVIRONMENT = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/p', CNI_IFNAME: 'eth0', CNI_ARGS: POD };
const NETWORK = { cniVersion: '1.1.0', name: 'wrouter', type: 'wrouter' };
const parse = (environment: Record<string, string>, network: unknown = NETWORK) => parseRequest(new Map(Object.entries(environment)), typeof network === 'string' ? network : JSON.stringify(network));

test('a request is its environment and its input, whatever is in them', () => {
  const { environment, input } = splitRequest(Buffer.from('CNI_COMMAND=ADD\0CNI_ARGS=a=b;\nc=ü\0\0{"x": "\\u0000"}'));
  assert.equal([...environment], [['CNI_COMMAND', 'ADD'], ['CNI_ARGS', 'a=b;\nc=ü']]);
  assert.is(input, '{"x": "\\u0000"}');
  assert.equal([...splitRequest(Buffer.from('\0{}')).environment], []);
  assert.throws(() => splitRequest(Buffer.from('CNI_COMMAND=ADD\0')), (error: CniError) => error.code === CODE.io);
});

test('ADD, DEL, GC, STATUS and VERSION come out typed', () => {
  const add = parse(ENVIRONMENT, { ...NETWORK, defaultRoute: 'net1', timeout: 5, dns: { domain: 'x' } });
  assert.equal(add, {
    command: 'ADD', key: { containerId: 'c1', ifname: 'eth0' }, netns: '/run/netns/p', pod: { namespace: 'default', name: 'web-0', uid: 'u-1' },
    configuration: { version: '1.1.0', name: 'wrouter', defaultRoute: 'net1', timeoutMs: 5000, dns: { domain: 'x' }, previous: undefined },
  });
  const del = parse({ CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'c1', CNI_IFNAME: 'eth0' }, { ...NETWORK, cniVersion: '0.3.1' });
  assert.is(del.command === 'DEL' && del.key.containerId, 'c1');
  for (const field of ['cni.dev/valid-attachments', 'cni.dev/attachments']) {
    const gc = parse({ CNI_COMMAND: 'GC' }, { ...NETWORK, [field]: [{ containerID: 'c1', ifname: 'eth0' }] });
    assert.equal(gc.command === 'GC' && gc.valid, [{ containerId: 'c1', ifname: 'eth0' }]);
  }
  assert.is(parse({ CNI_COMMAND: 'STATUS' }).command, 'STATUS');
  assert.equal(parse({ CNI_COMMAND: 'VERSION' }, { cniVersion: '0.4.0' }), { command: 'VERSION', asked: '0.4.0' });
  assert.equal(parse({ CNI_COMMAND: 'VERSION' }, ''), { command: 'VERSION', asked: '1.1.0' });
});

const without = (name: string): Record<string, string> => Object.fromEntries(Object.entries(ENVIRONMENT).filter(([key]) => key !== name));
const REFUSALS: readonly [what: string, environment: Record<string, string>, network: unknown, code: number, says: RegExp][] = [
  ['no command', without('CNI_COMMAND'), NETWORK, CODE.invalidEnvironment, /CNI_COMMAND/],
  ['an unknown command', { ...ENVIRONMENT, CNI_COMMAND: 'MOVE' }, NETWORK, CODE.invalidEnvironment, /CNI_COMMAND.*MOVE/],
  ['no container', without('CNI_CONTAINERID'), NETWORK, CODE.invalidEnvironment, /CNI_CONTAINERID/],
  ['a path for a container', { ...ENVIRONMENT, CNI_CONTAINERID: '../../etc' }, NETWORK, CODE.invalidEnvironment, /CNI_CONTAINERID/],
  ['no namespace', without('CNI_NETNS'), NETWORK, CODE.invalidEnvironment, /CNI_NETNS/],
  ['a relative namespace', { ...ENVIRONMENT, CNI_NETNS: 'run/netns/p' }, NETWORK, CODE.invalidEnvironment, /CNI_NETNS/],
  ['a device name that is too long', { ...ENVIRONMENT, CNI_IFNAME: 'a234567890123456' }, NETWORK, CODE.invalidEnvironment, /CNI_IFNAME/],
  ['a device name that is a path', { ...ENVIRONMENT, CNI_IFNAME: 'a/b' }, NETWORK, CODE.invalidEnvironment, /CNI_IFNAME/],
  ['no pod', without('CNI_ARGS'), NETWORK, CODE.invalidEnvironment, /K8S_POD_NAMESPACE/],
  ['half a pod', { ...ENVIRONMENT, CNI_ARGS: 'K8S_POD_NAMESPACE=default' }, NETWORK, CODE.invalidEnvironment, /K8S_POD_NAME/],
  ['no JSON', ENVIRONMENT, '{', CODE.decode, /JSON/],
  ['a list', ENVIRONMENT, '[]', CODE.decode, /object/],
  ['a number for a name', ENVIRONMENT, { ...NETWORK, name: 7 }, CODE.decode, /name: 7 is not a string/],
  ['no name', ENVIRONMENT, { cniVersion: '1.1.0' }, CODE.invalidConfiguration, /name/],
  ['a name with a slash', ENVIRONMENT, { ...NETWORK, name: 'a/b' }, CODE.invalidConfiguration, /name: "a\/b"/],
  ['an old version', ENVIRONMENT, { ...NETWORK, cniVersion: '0.2.0' }, CODE.incompatibleVersion, /0\.2\.0.*0\.3\.0/s],
  ['a later version', ENVIRONMENT, { ...NETWORK, cniVersion: '2.0.0' }, CODE.incompatibleVersion, /2\.0\.0/],
  ['no version', ENVIRONMENT, { name: 'wrouter' }, CODE.incompatibleVersion, /0\.1\.0/],
  ['CHECK before 0.4.0', { ...ENVIRONMENT, CNI_COMMAND: 'CHECK' }, { ...NETWORK, cniVersion: '0.3.1', prevResult: {} }, CODE.incompatibleVersion, /CHECK/],
  ['GC before 1.1.0', { CNI_COMMAND: 'GC' }, { ...NETWORK, cniVersion: '1.0.0' }, CODE.incompatibleVersion, /GC/],
  ['CHECK without a result', { ...ENVIRONMENT, CNI_COMMAND: 'CHECK' }, NETWORK, CODE.invalidConfiguration, /prevResult/],
  ['GC without attachments', { CNI_COMMAND: 'GC' }, NETWORK, CODE.invalidConfiguration, /valid-attachments/],
  ['an IPAM plugin', ENVIRONMENT, { ...NETWORK, ipam: { type: 'host-local' } }, CODE.unsupportedField, /ipam\.type = "host-local"/],
  ['no time', ENVIRONMENT, { ...NETWORK, timeout: 0 }, CODE.invalidConfiguration, /timeout: 0/],
  ['a default route over nothing', ENVIRONMENT, { ...NETWORK, defaultRoute: 'a b' }, CODE.invalidConfiguration, /defaultRoute/],
  ['interfaces that are none', ENVIRONMENT, { ...NETWORK, prevResult: { interfaces: [1] } }, CODE.decode, /interfaces/],
];
for (const [what, environment, network, code, says] of REFUSALS) {
  test(`${what} is refused with code ${code}`, () => {
    assert.throws(() => parse(environment, network), (error: CniError) => {
      assert.is(error.code, code);
      assert.match(`${error.message} ${error.details}`, says);
      return true;
    });
  });
}

const ATTACHMENT: Attachment = {
  containerId: 'c1', ifname: 'eth0', network: 'wrouter', netns: '/run/netns/p', pod: { namespace: 'default', name: 'web-0', uid: 'u-1' }, complete: true,
  interfaces: [
    { name: 'eth0', port: 'tap0', mac: '02:00:00:00:00:01', mtu: 1450, addresses: [{ address: '10.32.0.3/12', gateway: '10.47.255.254' }, { address: '10.32.0.9/12', gateway: '' }], defaultRoute: true },
    { name: 'net1', port: 'tap1', mac: '02:00:00:00:00:02', mtu: 1450, addresses: [{ address: '192.0.2.3/24', gateway: '192.0.2.254' }], defaultRoute: false },
  ],
};
const configuration = (version: Configuration['version'], previous?: object): Configuration => ({
  version, name: 'wrouter', defaultRoute: undefined, timeoutMs: 1, dns: {}, previous: previous && { whole: previous as Record<string, unknown>, interfaces: [], routes: [] },
});

test('a result is in the form of its version', () => {
  const of110 = resultOf(ATTACHMENT, configuration('1.1.0'));
  assert.equal(of110, {
    cniVersion: '1.1.0',
    interfaces: [
      { name: 'eth0', mac: '02:00:00:00:00:01', mtu: 1450, sandbox: '/run/netns/p' }, { name: 'net1', mac: '02:00:00:00:00:02', mtu: 1450, sandbox: '/run/netns/p' },
      { name: 'tap0', mtu: 1450 }, { name: 'tap1', mtu: 1450 },
    ],
    ips: [{ address: '10.32.0.3/12', gateway: '10.47.255.254', interface: 0 }, { address: '10.32.0.9/12', interface: 0 }, { address: '192.0.2.3/24', gateway: '192.0.2.254', interface: 1 }],
    routes: [{ dst: '0.0.0.0/0', gw: '10.47.255.254' }], dns: {},
  });
  const of100 = resultOf(ATTACHMENT, configuration('1.0.0')) as { interfaces: object[]; ips: object[] };
  assert.equal(of100.interfaces[0], { name: 'eth0', mac: '02:00:00:00:00:01', sandbox: '/run/netns/p' });
  assert.equal(of100.ips[2], { address: '192.0.2.3/24', gateway: '192.0.2.254', interface: 1 });
  for (const version of ['0.3.0', '0.3.1', '0.4.0'] as const) {
    assert.equal((resultOf(ATTACHMENT, configuration(version)) as { ips: object[] }).ips[0], { version: '4', address: '10.32.0.3/12', gateway: '10.47.255.254', interface: 0 });
  }
});

test('what plugins before us said is passed on, with ours behind it', () => {
  const before = { cniVersion: '1.0.0', interfaces: [{ name: 'br0' }], ips: [{ address: '198.51.100.1/24', interface: 0 }], routes: [{ dst: '198.51.100.0/24' }], dns: { domain: 'x' }, custom: 1 };
  const result = resultOf(ATTACHMENT, configuration('1.1.0', before)) as { interfaces: { name: string }[]; ips: { interface: number }[]; routes: object[]; dns: object; custom: number };
  assert.equal(result.interfaces.map(({ name }) => name), ['br0', 'eth0', 'net1', 'tap0', 'tap1']);
  assert.equal(result.ips.map((ip) => ip.interface), [0, 1, 1, 2]);
  assert.equal(result.routes, [{ dst: '198.51.100.0/24' }, { dst: '0.0.0.0/0', gw: '10.47.255.254' }]);
  assert.equal([result.dns, result.custom], [{ domain: 'x' }, 1]);
});

test('an error has the version that was asked in; one of our own making is 999', () => {
  assert.equal(errorAnswer(new CniError(CODE.tryAgain, 'later', 'soon'), '1.0.0'), { cniVersion: '1.0.0', code: 11, msg: 'later', details: 'soon' });
  assert.equal(errorAnswer(new CniError(CODE.unavailable, 'no'), ''), { code: 50, msg: 'no' });
  assert.is((errorAnswer(new TypeError('x'), '1.0.0') as { code: number }).code, 999);
});

test.run();
