// needs: netns, scapy
// limit: 180 s
//
// A fabric of 1500 bytes carries a pod's packets of at most 1472 through its tunnels: who sends more is told, or has them cut.
import * as assert from 'uvu/assert';
import { ADDRESSES, MACS } from '../lab/network.ts';
import { labSuite } from '../lab/suite.ts';
import { Scapy } from './scapy.ts';

const test = labSuite('path MTU', { fabricMtu: 1500 });
const INNER_MTU = 1472;

test('a packet with don\'t-fragment set is answered with the MTU, from both sides', async ({ internet, pod, floatingIp }) => {
  for (const [host, to] of [[internet, floatingIp], [pod, ADDRESSES.internet]] as const) {
    await host.ping(to, 2, 100); // neighbours are known
    const text = await host.run('ping', ['-n', '-c', '2', '-i', '0.2', '-W', '1', '-M', 'do', '-s', String(1500 - 28), to]).catch(({ stdout }: { stdout: string }) => stdout);
    assert.match(text, new RegExp(`mtu ?= ?${INNER_MTU}`), host.name);
    assert.match(await host.run('ping', ['-n', '-c', '2', '-i', '0.1', '-M', 'do', '-s', String(INNER_MTU - 28), to]), / 2 received/, host.name);
  }
});

test('a packet that may be cut arrives in valid fragments that make the whole', async ({ namespaces, floatingIp, pod }) => {
  const outside = await Scapy.start(namespaces, 'internet');
  const inside = await Scapy.start(namespaces, pod.name);
  try {
    await inside.listen('IP in p and p[IP].proto == 17', { offset: 'p[IP].frag', more: 'int(p[IP].flags.MF)', length: 'p[IP].len', sum: 'checksum(bytes(p[IP])[:20])', data: 'bytes(p[IP].payload).hex()' });
    await outside.send(`Ether(src='${MACS.internet}', dst='${MACS.gatewayExternal}')/IP(src='${ADDRESSES.internet}', dst='${floatingIp}', id=77)/UDP(sport=5000, dport=9, chksum=0)/Raw(bytes(i & 255 for i in range(1472)))`);
    const pieces = await inside.collect(2);
    assert.equal(pieces.map(({ offset, more, length, sum }) => ({ offset, more, length, sum })), [
      { offset: 0, more: 1, length: 1468, sum: 0 },
      { offset: 1448 / 8, more: 0, length: 52, sum: 0 },
    ]);
    const data = pieces.map((piece) => String(piece['data'])).join('');
    assert.is(data.slice(16), Buffer.from(Array.from({ length: 1472 }, (_, i) => i & 255)).toString('hex'));
  } finally {
    outside.stop();
    inside.stop();
  }
});

test('TCP finds the path MTU by itself', async ({ internet, pod, floatingIp }) => {
  for (const [from, at, to] of [[internet, pod, floatingIp], [pod, internet, ADDRESSES.internet]] as const) {
    const stop = await at.serve(8080);
    try {
      assert.ok((await from.send(to, 8080, 5 << 20)).intact, `${from.name} to ${to}`);
    } finally {
      await stop();
    }
  }
});

test.run();
