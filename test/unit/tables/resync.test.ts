// Mark and sweep, snapshots (dump, then apply to a fresh memory), and that churn does not grow any table.
import * as assert from 'uvu/assert';
import { suite } from 'uvu';
import * as L from '../../../wasm-core/layout.ts';
import * as R from '../../../wasm-core/records.ts';
import { discards, ecmpSlot, floatingIp, iface, label, mask, nexthop, networkOrder, route, Tables, vrf, type PackedRecord } from './harness.ts';
import { random } from './random.ts';

const test = suite('resync');
const KINDS = [R.RECORD_ROUTE, R.RECORD_LABEL, R.RECORD_FLOATING_IP, R.RECORD_ECMP, R.RECORD_NEXTHOP, R.RECORD_INTERFACE, R.RECORD_VRF];

/** Tables of every kind, in an order in which they can be applied. */
function world(seed: number): PackedRecord[] {
  const next = random(seed);
  const records = [
    vrf(0, 0, L.VRFF_RPF), vrf(1, L.LPM_POPTRIE, L.VRFF_EXTERNAL, 1360), vrf(2), vrf(9, L.LPM_DIR24),
    iface({ id: 1, kind: L.IFK_FABRIC, address: 0xC0000201, mask: 0xFFFFFF00 }),
    iface({ id: 7, kind: L.IFK_EXTERNAL, vrf: 1 }), iface({ id: 3, kind: L.IFK_EXTERNAL, vrf: 2, vlan: 12, parent: 7, flags: L.IFF_UP | L.IFF_RPF }),
    iface({ id: 4, vrf: 2, workload: 0x0A200003, flags: L.IFF_UP | L.IFF_SOURCE_CHECK }),
    ...discards(1, 20), nexthop({ id: 21, kind: L.NHK_RECEIVE }), nexthop({ id: 22, kind: L.NHK_VRF, value: 2 }),
    nexthop({ id: 23, kind: L.NHK_INTERFACE, interface: 4, remote: 0x0A200003, mac: 0x020000000003 }),
    nexthop({ id: 24, kind: L.NHK_RESOLVE, interface: 7, flags: L.NHF_EXTERNAL }),
    nexthop({ id: 25, kind: L.NHK_TUNNEL_GRE, interface: 1, remote: 0xC0000202, local: 0xC0000201, value: 300, mtu: 1400 }),
    nexthop({ id: 26, kind: L.NHK_TUNNEL_GRE, interface: 1, remote: 0xC6336401, local: 0xC0000201, value: 301, gateway: 0xC00002FE }),
    nexthop({ id: 27, kind: L.NHK_ECMP, value: 6 }), ecmpSlot(27, 0, 25), ecmpSlot(27, 5, 26),
    ...Array.from({ length: 30 }, (_, i) => label(16 + 3 * i, 1 + next(27))),
    floatingIp({ public: 0x65656503, private: 0x0A200003, vrf: 1, interface: 4, direction: 3, order: 1 }),
    floatingIp({ public: 0x65656504, private: 0x0A200003, vrf: 2, interface: 4, direction: 2 }),
    floatingIp({ public: 0x65656505, private: 0x0A200003, vrf: 2, interface: 4, direction: 1 }),
    floatingIp({ public: 0x0A200009, private: 0x0A200009, vrf: 2, interface: 4, direction: R.FLD_PERMIT }),
  ];
  for (let i = 0; i < 600; i++) {
    const length = next(33);
    records.push(route([0, 1, 2, 9][next(4)]!, (next(2 ** 32) & mask(length)) >>> 0, length, 1 + next(27), next(2)));
  }
  return records;
}

const text = (records: PackedRecord[]): string[] => records.map((r) => `${r.kind} ${Buffer.from(r.bytes).toString('hex')}`).sort();

test('a dump applied to a fresh memory makes the same tables', () => {
  const tables = new Tables();
  tables.apply(...world(1));
  const snapshot = tables.dumpAll();
  assert.ok(snapshot.length > 600);
  const copy = new Tables();
  copy.apply(...snapshot);
  assert.equal(text(copy.dumpAll()), text(snapshot));
  const next = random(2);
  for (let i = 0; i < 5000; i++) {
    const address = next(2 ** 32);
    for (const id of [0, 1, 2, 9]) assert.equal(copy.lookup(id, address), tables.lookup(id, address));
  }
  for (const kind of KINDS) assert.is(copy.exports.total(kind), tables.exports.total(kind), `total of kind ${kind}`);
});

test('a dump that does not fit into the buffer goes on at its cursor', () => {
  const tables = new Tables();
  tables.apply(vrf(1), ...discards(1, 1));
  const count = L.COMMAND_SIZE / R.RT_SIZE + 1000;
  for (let done = 0; done < count; done += 100000) {
    tables.applyAll(Array.from({ length: Math.min(100000, count - done) }, (_, i) => route(1, 0x0A000000 + done + i, 32, 1)));
  }
  const dumped = tables.dump(R.RECORD_ROUTE, 1);
  assert.is(dumped.length, count);
  assert.is(new Set(dumped.map((r) => new DataView(r.bytes.buffer).getUint32(R.RT_PREFIX))).size, count);
});

test('what a resync does not bring again is swept, in the order of dependencies', () => {
  const tables = new Tables();
  tables.apply(...world(1));
  tables.exports.resyncBegin();
  for (const kind of KINDS) assert.is(tables.exports.staleCount(kind), tables.exports.total(kind));
  // Only the uplink, a tunnel and one route come again.
  const kept = [
    vrf(0, 0, L.VRFF_RPF), iface({ id: 1, kind: L.IFK_FABRIC, address: 0xC0000201, mask: 0xFFFFFF00 }),
    nexthop({ id: 25, kind: L.NHK_TUNNEL_GRE, interface: 1, remote: 0xC0000202, local: 0xC0000201, value: 300, mtu: 1400 }), route(0, 0x0A000000, 8, 25),
  ];
  tables.apply(...kept);
  const before = KINDS.map((kind) => tables.exports.staleCount(kind));
  const swept = KINDS.map((kind) => tables.sweep(kind));
  assert.equal(swept, before);
  assert.equal(text(tables.dumpAll()), text(kept));
  assert.equal(tables.lookup(0, 0x0A010203), [25, 8]);
  assert.is(tables.lookup(1, 0x0A010203), undefined);
});

test('a sweep and a dump go in pieces, and changes between them lose nothing', () => {
  const tables = new Tables();
  const count = 70000;
  const vrfs = Array.from({ length: 300 }, (_, i) => 10 + i);
  tables.apply(vrf(1), vrf(2), ...vrfs.map((id) => vrf(id)), ...discards(1, 2));
  const many = (id: number): PackedRecord[] => Array.from({ length: count }, (_, i) => route(id, 0x0A000000 + i * 4, 30, 1));
  tables.applyAll([...many(1), ...many(2), ...vrfs.map((id) => route(id, 0x0A000000, 8, 1))]);

  const seen = new Set<number>();
  let pieces = 0;
  for (let cursor = 0; pieces === 0 || cursor !== 0; pieces++) {
    const packed = tables.exports.dump(R.RECORD_ROUTE, 1, cursor | 0);
    cursor = tables.u32(L.RESULTS);
    assert.ok(packed <= 16384 + 32, `a piece of ${packed} routes`);
    for (let i = 0; i < packed; i++) seen.add(tables.view.getUint32(L.COMMAND + i * R.RT_SIZE + R.RT_PREFIX));
    // What was dumped goes, the next one too; another one comes at the end.
    tables.apply(route(1, 0x0A000000 + pieces * 4, 30, 0), route(1, 0x0B000000 + pieces * 4, 30, 1));
    if (cursor !== 0) tables.apply(route(1, cursor, 30, 0));
  }
  assert.is(pieces, 5);
  assert.is(seen.size, count - 4 + 4);

  tables.exports.resyncBegin();
  tables.applyAll(many(2).slice(0, 50000));
  const stale = tables.exports.staleCount(R.RECORD_ROUTE);
  let swept = 0;
  let calls = 0;
  for (let isMore = true; isMore; calls++) {
    const gone = tables.exports.sweep(R.RECORD_ROUTE);
    isMore = tables.u32(L.RESULTS) !== 0;
    assert.ok(gone <= 2 * 16384, `${gone} routes in one call`);
    swept += gone;
    tables.dump(R.RECORD_VRF); // somebody looks at the tables meanwhile
  }
  assert.is(swept, stale);
  assert.ok(calls >= 5 && calls < 20, `${calls} calls`);
  assert.is(tables.exports.staleCount(R.RECORD_ROUTE), 0);
  assert.is(tables.exports.total(R.RECORD_ROUTE), 50000);
});

test('what is still in use survives a sweep', () => {
  const tables = new Tables();
  tables.apply(vrf(0), vrf(1), iface({ id: 1, vrf: 1 }), ...discards(1, 3), nexthop({ id: 4, kind: L.NHK_ECMP, value: 2 }), ecmpSlot(4, 0, 1), label(16, 2));
  tables.exports.resyncBegin();
  tables.apply(iface({ id: 1, vrf: 1 }), label(16, 2));
  assert.equal(KINDS.map((kind) => tables.sweep(kind)), [0, 0, 0, 1, 3, 0, 1]);
  assert.is(tables.u32(L.LABELS + 4 * 16), 2);
  assert.is(tables.exports.staleCount(R.RECORD_NEXTHOP), 1);
});

test('three hundred resyncs that are never ended do not confuse generations', () => {
  const tables = new Tables();
  tables.apply(vrf(0), ...discards(1, 2), route(0, 0, 0, 1), label(16, 1));
  for (let i = 0; i < 300; i++) {
    tables.exports.resyncBegin();
    tables.apply(...discards(2, 1));
    assert.is(tables.exports.staleCount(R.RECORD_NEXTHOP), 1);
    assert.is(tables.exports.staleCount(R.RECORD_ROUTE), 1);
  }
  assert.is(tables.sweep(R.RECORD_ROUTE) + tables.sweep(R.RECORD_LABEL) + tables.sweep(R.RECORD_NEXTHOP), 3);
});

test('100,000 rounds of churn leave no table larger', () => {
  const tables = new Tables({ fipBuckets: 64 });
  tables.apply(vrf(1), vrf(2), vrf(9, L.LPM_DIR24), iface({ id: 1, vrf: 1 }), iface({ id: 2, vrf: 1 }), ...discards(1, 40));
  const next = random(3);
  const marks: number[][] = [];
  for (let round = 0; round < 100000; round++) {
    const id = [1, 9][next(2)]!;
    const length = 20 + next(13);
    const prefix = ((0x0A000000 + next(2 ** 16) * 16) & mask(length)) >>> 0;
    const fip = { public: 0x65656500 + next(30), private: 0x0A200000 + next(8), vrf: 1, interface: 1 + next(2), direction: next(4) };
    const group = 100 + next(4);
    tables.tryApply([
      route(id, prefix, length, next(3)), floatingIp(fip), nexthop({ id: group, kind: next(2) === 0 ? 0 : L.NHK_ECMP, value: 1 + next(64) }),
      ecmpSlot(group, next(3), 1 + next(40)), ecmpSlot(group, next(3), 1 + next(40)), label(16 + next(20), next(40)),
    ]);
    if (round % 10 === 0) tables.reclaim();
    if (round % 20000 === 19999) {
      for (const vrfId of [1, 9]) {
        for (const record of tables.dump(R.RECORD_ROUTE, vrfId)) tables.apply({ kind: record.kind, bytes: new Uint8Array(record.bytes).fill(0, R.RT_NEXTHOP, R.RT_NEXTHOP + 4) });
      }
      for (const record of tables.dump(R.RECORD_FLOATING_IP)) tables.apply({ kind: record.kind, bytes: record.bytes.with(R.FL_DIRECTION, 0) });
      for (let groupId = 100; groupId < 104; groupId++) tables.tryApply([nexthop({ id: groupId, kind: 0 })]);
      tables.reclaim();
      assert.is(tables.heapBytes(), 0);
      marks.push(tables.highWaterMarks());
    }
  }
  // A little more may be found necessary late, but not a multiple.
  const [first, last] = [marks[0]!, marks.at(-1)!];
  for (const [i, mark] of last.entries()) assert.ok(mark <= first[i]! * 1.5 + 64, `high-water mark ${i}: ${marks.map((m) => m[i])}`);
});

test('a neighbour that nobody needs is given back, one that a packet waits for is not', () => {
  const tables = new Tables();
  const clock = (ms: number): void => tables.view.setBigUint64(L.LCORES + L.LCORE_CONTROL * 2 ** L.LCORE_SHIFT + L.LC_NOW_US, BigInt(ms) * 1000n, true);
  const at = (index: number): number => L.NEIGHBOURS + index * 2 ** L.NEIGHBOUR_SHIFT;
  tables.apply(vrf(0), iface({ id: 1, kind: L.IFK_FABRIC }), nexthop({ id: 1, kind: L.NHK_TUNNEL_GRE, interface: 1, remote: 0xC0000202, local: 1, value: 16 }));
  const [idle, waiting, pinned] = [0xC0000203, 0xC0000204, 0xC0000202].map((address) => tables.exports.neighbourClaim(1, networkOrder(address))) as [number, number, number];
  clock(1_000_000);
  tables.view.setUint32(at(waiting) + L.NB_HELD, 1, true);
  for (let pass = 0; pass <= L.MAX_NEIGHBOURS / 256; pass++) tables.reclaim();
  assert.is(tables.exports.neighbourFind(1, networkOrder(0xC0000203)), L.MAX_NEIGHBOURS);
  assert.is(tables.view.getBigUint64(at(idle), true), 0n);
  assert.is(tables.exports.neighbourFind(1, networkOrder(0xC0000204)), waiting);
  assert.is(tables.exports.neighbourFind(1, networkOrder(0xC0000202)), pinned);
});

test.run();
