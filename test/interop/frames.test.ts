// needs: netns, scapy
// limit: 180 s
//
// Frames that a kernel would not send, made by scapy at one end of the lab and judged by scapy at the other: what a floating IP does to
// ICMP errors, fragments, options, tags, absent checksums, and what the appliances answer themselves.
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import type { Appliance } from '../lab/appliance.ts';
import { ADDRESSES, MACS } from '../lab/network.ts';
import { labSuite } from '../lab/suite.ts';
import { Scapy, type Arrival } from './scapy.ts';

const test = labSuite('odd frames', {});
const INTERNET = ADDRESSES.internet;
const FROM_INTERNET = `Ether(src='${MACS.internet}', dst='${MACS.gatewayExternal}')`;
let fromPod = '';
let outside: Scapy;
let inside: Scapy;

test.before(async ({ namespaces, internet, pod, floatingIp }) => {
  assert.is((await internet.ping(floatingIp, 3, 100)).received, 3, 'neighbours are known');
  const router = (await pod.run('ip', ['neigh', 'show', 'dev', 'eth0'])).match(/lladdr (\S+)/)?.[1];
  fromPod = `Ether(src='${(await pod.run('cat', ['/sys/class/net/eth0/address'])).trim()}', dst='${router}')`;
  outside = await Scapy.start(namespaces, 'internet');
  inside = await Scapy.start(namespaces, pod.name);
});

test.after(() => {
  outside?.stop();
  inside?.stop();
});

/** Sends one frame at an end and returns the first that arrives at the other; none may follow. */
async function across(from: Scapy, to: Scapy, frame: string, match: string, fields: Record<string, string> = {}): Promise<Arrival | undefined> {
  await to.listen(match, fields);
  await from.send(frame);
  const arrivals = await to.collect(1);
  assert.ok(arrivals.length <= 1, `${arrivals.length} frames arrived`);
  return arrivals[0];
}

/** From the Internet host to the pod. */
function inward(packet: string, match: string, fields: Record<string, string> = {}): Promise<Arrival | undefined> {
  return across(outside, inside, `${FROM_INTERNET}/${packet}`, match, fields);
}

async function drops({ dataplane }: Appliance, reason: string): Promise<number> {
  return (await dataplane.counters()).drops.find(({ name }) => name === reason)?.packets ?? 0;
}

/** Runs `send`; one packet more must be dropped for `reason`. */
async function dropped(appliance: Appliance, reason: string, send: () => unknown): Promise<void> {
  const before = await drops(appliance, reason);
  await send();
  await sleep(100);
  assert.is((await drops(appliance, reason)) - before, 1, `${reason} of ${appliance.name}`);
}

test('an ICMP error that quotes the floating IP reaches the pod quoting the pod', async (bench) => {
  const datagram = "/UDP(sport=5000, dport=53)/b'question'";
  const quoted = (source: string): string => `IP(id=7, ttl=60, src='${source}', dst='${INTERNET}')${datagram}`;
  const error = await inward(`IP(src='${INTERNET}', dst='${bench.floatingIp}')/ICMP(type=3, code=3)/Raw(bytes(${quoted(bench.floatingIp)}))`, 'ICMP in p', {
    to: 'p[IP].dst',
    quote: `bytes(p[ICMP].payload) == bytes(${quoted(bench.pod.address)})`,
  });
  assert.equal(error, { valid: true, to: bench.pod.address, quote: true });
});

test('an ICMP error of the pod leaves quoting the floating IP', async (bench) => {
  const quoted = (destination: string): string => `IP(id=7, ttl=60, src='${INTERNET}', dst='${destination}')/TCP(sport=5000, dport=22, seq=1)`;
  const error = await across(inside, outside, `${fromPod}/IP(src='${bench.pod.address}', dst='${INTERNET}')/ICMP(type=3, code=3)/Raw(bytes(${quoted(bench.pod.address)}))`, 'ICMP in p', {
    from: 'p[IP].src',
    quote: `bytes(p[ICMP].payload) == bytes(${quoted(bench.floatingIp)})`,
  });
  assert.equal(error, { valid: true, from: bench.floatingIp, quote: true });
});

test('datagrams in fragments are put together at the other end, both ways', async ({ internet, pod, floatingIp }) => {
  for (const [host, to] of [[internet, floatingIp], [pod, INTERNET]] as const) {
    const text = await host.run('ping', ['-n', '-c', '3', '-i', '0.1', '-s', '4000', to]);
    assert.match(text, / 3 received/, host.name);
  }
});

test('a later fragment on its own has its addresses translated and nothing else', async (bench) => {
  const fragment = await inward(`IP(src='${INTERNET}', dst='${bench.floatingIp}', id=9, frag=10, proto=17)/Raw(bytes(range(64)))`, 'IP in p and p[IP].frag == 10', {
    to: 'p[IP].dst',
    payload: 'bytes(p[IP].payload) == bytes(range(64))',
  });
  assert.equal(fragment, { valid: true, to: bench.pod.address, payload: true });
});

test('UDP without a checksum stays without one; UDP with one has a right one', async (bench) => {
  const datagram = (checksum: string): string => `IP(src='${INTERNET}', dst='${bench.floatingIp}')/UDP(sport=5000, dport=9${checksum})/b'abc'`;
  const fields = { sum: 'p[UDP].chksum' };
  const without = await inward(datagram(', chksum=0'), 'UDP in p', fields);
  assert.is(without?.['sum'], 0);
  const having = await inward(datagram(''), 'UDP in p', fields);
  assert.is(having?.valid, true);
});

test('IP options are kept; a source route is refused', async (bench) => {
  const packet = (option: string): string => `IP(src='${INTERNET}', dst='${bench.floatingIp}', options=[${option}])/UDP(sport=5000, dport=9)/b'abc'`;
  const kept = await inward(packet("IPOption_NOP(), IPOption_RR(length=7, routers=['0.0.0.0'])"), 'UDP in p', { options: 'p[IP].ihl' });
  assert.equal(kept, { valid: true, options: 7 });
  await dropped(bench.lab.gateway, 'ipv4_source_route', () => outside.send(`${FROM_INTERNET}/${packet("IPOption_LSRR(routers=['10.47.255.254'])")}`));
});

test('a priority tag is taken off; an unknown VLAN is dropped', async (bench) => {
  const tagged = (vlan: number): string => `Dot1Q(vlan=${vlan}, prio=5)/IP(src='${INTERNET}', dst='${bench.floatingIp}')/UDP(sport=5000, dport=9)/b'abc'`;
  const arrived = await inward(tagged(0), 'UDP in p', { tag: 'Dot1Q in p' });
  assert.equal(arrived, { valid: true, tag: false });
  await dropped(bench.lab.gateway, 'vlan_unknown', () => outside.send(`${FROM_INTERNET}/${tagged(77)}`));
});

test('a VLAN of the gateway\'s port is an interface of its own: ARP, and a floating IP by it', async ({ lab, floatingIp }) => {
  const { config } = lab.controller;
  const name = `default-global-system-config:${lab.gateway.name}`;
  const { virtualRouter } = await config.get({ kind: 'virtual-router', name });
  const [external] = virtualRouter!.externalInterfaces;
  const vlan = { ...external!, name: 'vlan-100', port: '', vlan: 100, parent: external!.name, address: '198.51.100.1/24' };
  await config.commit({ operations: [{ update: { name, virtualRouter: { ...virtualRouter!, externalInterfaces: [external!, vlan] } } }] });
  await lab.inSync();

  const tagged = `Ether(src='${MACS.internet}', dst='{dst}')/Dot1Q(vlan=100)`;
  const question = `${tagged.replace('{dst}', 'ff:ff:ff:ff:ff:ff')}/ARP(hwsrc='${MACS.internet}', psrc='198.51.100.7', pdst='198.51.100.1')`;
  const answer = await across(outside, outside, question, 'ARP in p and p[ARP].op == 2', { tag: 'p[Dot1Q].vlan', is: 'p[ARP].hwsrc', at: 'p[ARP].psrc' });
  assert.equal(answer, { valid: true, tag: 100, is: MACS.gatewayExternal, at: '198.51.100.1' });
  const echo = `${tagged.replace('{dst}', MACS.gatewayExternal)}/IP(src='198.51.100.7', dst='${floatingIp}')/ICMP(id=7, seq=1)/b'abc'`;
  const reply = await across(outside, outside, echo, 'ICMP in p and p[ICMP].type == 0', { tag: 'p[Dot1Q].vlan', from: 'p[IP].src', to: 'p[IP].dst' });
  assert.equal(reply, { valid: true, tag: 100, from: floatingIp, to: '198.51.100.7' });
});

test('a packet whose time is up is answered: by the gateway to the outside, by the compute appliance to the pod', async (bench) => {
  const fields = { from: 'p[IP].src', type: 'p[ICMP].type', quoted: 'p[IPerror].src' };
  const cases = [
    [outside, `${FROM_INTERNET}/IP(src='${INTERNET}', dst='${bench.floatingIp}', ttl=1)`, ADDRESSES.external, INTERNET],
    [inside, `${fromPod}/IP(src='${bench.pod.address}', dst='${INTERNET}', ttl=1)`, '10.47.255.254', bench.pod.address],
  ] as const;
  for (const [host, packet, from, quoted] of cases) {
    const answer = await across(host, host, `${packet}/UDP(sport=5000, dport=9)/b'abc'`, 'ICMP in p and p[ICMP].type == 11', fields);
    assert.equal(answer, { valid: true, from, type: 11, quoted });
  }
});

test('a pod cannot speak in another\'s name', async (bench) => {
  await dropped(bench.lab.compute, 'source_mismatch', () =>
    inside.send(`${fromPod}/IP(src='10.32.0.99', dst='${INTERNET}')/UDP(sport=5000, dport=9)/b'abc'`));
});

test.run();
