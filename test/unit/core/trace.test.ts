// A trace says beforehand what then happens to the live packet, changes nothing, and is told in words. limit: 180 s
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatTrace, type Trace } from '../../../firmware/host/trace.ts';
import * as L from '../../../wasm-core/layout.ts';
import { Core, type SentFrame } from '../../fixtures/core.ts';
import { coreFor, type Fixture } from '../../fixtures/fixture.ts';
import { fixtures } from '../../fixtures/index.ts';
import { WORLD_NAMES } from '../../fixtures/names.ts';
import { releaseMemory } from '../../fixtures/release-memory.ts';
import { attachWorld, FABRIC, INTERNET, POD_1, POD_2, world } from '../../fixtures/world.ts';

function trace(core: Core, frame: SentFrame): Trace {
  core.bytes.set(frame.bytes, L.TRACE_FRAME + L.FRAME_HEADROOM);
  core.exports.trace(frame.interface, frame.bytes.length);
  return formatTrace(core, WORLD_NAMES, frame.interface, frame.bytes);
}

/** Everything that a packet can change: lcores, neighbours, counters, the frame pool, hand-off rings, drop logs. */
function state(core: Core): string {
  const hash = createHash('sha256');
  const range = (start: number, length: number): unknown => hash.update(core.bytes.subarray(start, start + length));
  range(core.lcoreAt(0), 2 ** L.LCORE_SHIFT);
  range(core.lcoreAt(L.LCORE_CONTROL), 2 ** L.LCORE_SHIFT);
  range(L.NEIGHBOURS, L.MAX_NEIGHBOURS * 2 ** L.NEIGHBOUR_SHIFT);
  // Of the counters those that the world's tables can reach.
  range(L.COUNTERS + L.C_NEXTHOP, 16 * 1024);
  range(L.COUNTERS + L.C_VRF, 16 * 64);
  range(L.COUNTERS + L.C_INTERFACE, 64 * 128);
  range(L.COUNTERS + L.C_NODE, 8 * 1024);
  range(L.FRAME_POOL, 64 * 1024);
  range(L.HANDOFF, 2 * L.MAX_LCORES * 2 ** L.HANDOFF_SHIFT);
  range(L.DROP_LOG, 2 ** L.DROP_LOG_LCORE_SHIFT);
  return hash.digest('hex');
}

/** A resource of the live core runs out there, which a trace does not use. */
const LIVE_ONLY: ReadonlySet<string> = new Set(['icmp-error: no frame for it', 'fragment: no frame for the second piece', 'neighbour: no room for another record',
  'neighbour: 257 packets in one lcore are too many', 'transmit: the owner takes nothing out of its hand-off ring']);
/** Frames of a step that are traced: more than one neighbour's queue takes. */
const TRACED = 9;

function firstFrame(fixture: Fixture): SentFrame | undefined {
  return fixture.steps[0]?.in?.[0];
}

/** Traces the frame, then sends it: the trace must have changed nothing, and have told what happened. */
function compare(core: Core, frame: SentFrame): void {
  const before = state(core);
  const told = trace(core, frame);
  assert.is(state(core), before, 'a trace changes nothing');
  assert.equal(trace(core, frame), told, 'and so it says the same again');
  agree(core, frame, told);
}

/** Sends the frame: what happens is what the trace told. */
function agree(core: Core, frame: SentFrame, told: Trace): void {
  const earlier = core.totals();
  const out = core.forward([frame]);
  const totals = core.checkBalance();
  const died = Object.keys(totals.drops).filter((name) => (totals.drops[name] ?? 0) > (earlier.drops[name] ?? 0));
  if (told.verdict === 'drop') assert.ok(died.includes(told.drop), `trace: ${told.drop}, live: ${died.join(', ') || 'no drop'}`);
  else assert.equal(died, [], `trace: ${told.verdict}`);
  if (told.verdict === 'hold') assert.is(totals.held, earlier.held + 1);
  if (told.verdict === 'transmit') {
    const sent = out.find((f) => Buffer.from(f.bytes).equals(told.frame));
    assert.ok(sent, 'the frame that left is the one that the trace showed');
    assert.is(WORLD_NAMES.interfaces.get(sent!.interface), told.interface.replace('.30', ''));
  }
}

let made = 0;
for (const fixture of fixtures) {
  if (LIVE_ONLY.has(fixture.name)) continue;
  test(fixture.name, () => {
    if (++made % 32 === 0) releaseMemory();
    const core = coreFor(fixture);
    for (const step of fixture.steps) {
      core.advanceClock(step.wait ?? 0);
      core.settle();
      core.drain();
      (step.in ?? []).slice(0, TRACED).forEach((frame) => compare(core, frame));
      core.forward((step.in ?? []).slice(TRACED));
    }
  });
}

test('of mutated frames as well', () => {
  const core = new Core();
  core.apply(...world());
  attachWorld(core);
  // Several lanes, next hops and neighbours are in play; ports that only some fixtures have are not.
  const ports = new Set([FABRIC, POD_1, POD_2, INTERNET]);
  const frames = fixtures.flatMap((f) => f.steps.flatMap((step) => step.in ?? [])).filter((f) => ports.has(f.interface));
  const mutation = fc.record({ frame: fc.constantFrom(...frames), cut: fc.integer({ min: 0, max: 3000 }), changes: fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 2 }) });
  fc.assert(fc.property(mutation, ({ frame, cut, changes }) => {
    const bytes = frame.bytes.slice(0, cut);
    for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value;
    core.advanceClock(200); // what waits is given up before 256 do
    core.settle();
    core.drain();
    const told = trace(core, { interface: frame.interface, bytes });
    assert.not.match(told.text, /undefined|NaN|\bnode-|verdict: drop, for/);
    agree(core, { interface: frame.interface, bytes }, told);
  }), { numRuns: 3000 });
});

function told(name: string): string {
  const fixture = fixtures.find((f) => f.name === name);
  assert.ok(fixture, `no fixture "${name}"`);
  return trace(coreFor(fixture!), firstFrame(fixture!)!).text;
}

test('words: out by a floating IP', () => {
  assert.snapshot(told('rewrite: UDP out by its floating IP'), `\
pod-1: 10.32.0.3 > 198.51.100.9 UDP 1000 > 2000
  ethernet-input  received by pod-1, to our MAC: IPv4
  ip4-input       header is sound: 54 bytes, TTL 64; 10.32.0.3 may send here
  ip4-lookup      VRF k8s-default-pod-network: 198.51.100.9 has no route
  fip-select      floating IP 101.101.101.3 (pool-ns-default/1) in VRF k8s-vn-ns-default-pod-network: 0.0.0.0/0, there is no native route
  fip-select      source becomes 101.101.101.3 (pool-ns-default/1); on in VRF k8s-vn-ns-default-pod-network, next hop 20 (gateway): tunnel MPLS over GRE to 192.0.2.1, label 500, out of fabric
  nexthop         next hop 20 (gateway): tunnel MPLS over GRE to 192.0.2.1, label 500, out of fabric
  rewrite         source 10.32.0.3 → 101.101.101.3, TTL 64 → 63
  encapsulate     192.0.2.2 > 192.0.2.1 GRE MPLS 500, to 02:00:00:00:02:01 (192.0.2.1)
  transmit        96 bytes out of fabric: 192.0.2.2 > 192.0.2.1 GRE MPLS 500: 101.101.101.3 > 198.51.100.9 UDP 1000 > 2000
verdict: transmit out of fabric`);
});

test('words: in to a floating IP', () => {
  assert.snapshot(told('mpls-input: label of a VRF, the floating IP is looked up there'), `\
fabric: 192.0.2.1 > 192.0.2.2 GRE MPLS 100: 198.51.100.9 > 101.101.101.3 UDP 1000 > 2000
  ethernet-input   received by fabric, to our MAC: IPv4
  ip4-input        header is sound: 82 bytes, TTL 64; GRE to the own tunnel address
  gre-input        MPLS over GRE from 192.0.2.1, label 100
  mpls-input       inside: 198.51.100.9 > 101.101.101.3 UDP 1000 > 2000; the label belongs to VRF k8s-vn-ns-default-pod-network
  ip4-lookup       VRF k8s-vn-ns-default-pod-network: 101.101.101.3 matches 101.101.101.3/32 → next hop 10: out of pod-1 to 10.32.0.3
  nexthop          next hop 10: out of pod-1 to 10.32.0.3; destination 101.101.101.3 (pool-ns-default/1) becomes 10.32.0.3
  rewrite          destination 101.101.101.3 → 10.32.0.3, TTL 64 → 63
  ethernet-output  to 02:00:00:00:02:02 (10.32.0.3) from 02:00:00:00:01:02
  transmit         68 bytes out of pod-1: 198.51.100.9 > 10.32.0.3 UDP 1000 > 2000
verdict: transmit out of pod-1`);
});

test('words: dropped, with the ICMP error as a branch', () => {
  assert.snapshot(told('nexthop: larger than the tunnel takes, with DF'), `\
pod-1: 10.32.0.3 > 10.49.0.1 UDP 1000 > 2000
  ethernet-input     received by pod-1, to our MAC: IPv4
  ip4-input          header is sound: 601 bytes, TTL 64; 10.32.0.3 may send here
  ip4-lookup         VRF k8s-default-pod-network: 10.49.0.1 matches 10.49.0.0/16 → next hop 22: tunnel MPLS over GRE to 192.0.2.1, label 500, out of fabric
  fip-select         floating IP 101.101.101.3 (pool-ns-default/1) in VRF k8s-vn-ns-default-pod-network: 0.0.0.0/0, not longer than the native /16
  fip-select         the native route holds, the source stays as it is
  nexthop            next hop 22: tunnel MPLS over GRE to 192.0.2.1, label 500, out of fabric; dropped: fragmentation_needed: larger than the next hop takes, and DF is set (601 bytes, the next hop takes 600)
  icmp-error         ICMP unreachable: fragmentation needed, MTU 600 to 10.32.0.3
    ip4-lookup       VRF k8s-default-pod-network: 10.32.0.3 matches 10.32.0.3/32 → next hop 10: out of pod-1 to 10.32.0.3
    nexthop          next hop 10: out of pod-1 to 10.32.0.3
    rewrite          nothing to change
    ethernet-output  to 02:00:00:00:02:02 (10.32.0.3) from 02:00:00:00:01:02
    transmit         590 bytes out of pod-1: 10.32.0.1 > 10.32.0.3 ICMP unreachable: fragmentation needed MTU 600 about (10.32.0.3 > 10.49.0.1 UDP 1000 > 2000)
verdict: drop, fragmentation_needed: larger than the next hop takes, and DF is set`);
});

test('words: would wait', () => {
  assert.match(told('neighbour: for a tunnel\'s end'), /encapsulate {5}the MAC of 192\.0\.2\.9 on fabric is not known\n {2}neighbour {7}would wait while an ARP request asks for 192\.0\.2\.9 on fabric\nverdict: would wait for a neighbour on fabric$/);
});

test('words: pieces of a packet', () => {
  const text = told('fragment: three pieces');
  assert.match(text, /fragment {8}cut to 600 bytes: 3 pieces/);
  assert.is(text.match(/^ +transmit /gm)?.length, 3);
  assert.match(text, /\n {2}fragment {8}piece 3 of 3\n {4}encapsulate/);
});

test('words: things without a name are told by their number', () => {
  const fixture = fixtures.find((f) => f.name === 'nexthop: pod to pod')!;
  const core = coreFor(fixture);
  const frame = firstFrame(fixture)!;
  trace(core, frame);
  assert.match(formatTrace(core, {}, frame.interface, frame.bytes).text, /VRF 1: 10\.32\.0\.4 matches 10\.32\.0\.4\/32 → next hop 11: out of interface 3/);
});

test('the words need nothing of Node: they can be told in a browser', () => {
  for (const name of ['trace.ts', 'trace-events.ts', 'trace-names.ts', 'trace-drops.ts', 'packet-summary.ts']) {
    const source = readFileSync(new URL(`../../../firmware/host/${name}`, import.meta.url), 'utf8');
    assert.not.match(source, /from 'node:|\bprocess\.|\bBuffer\b/, name);
  }
});

test.run();
