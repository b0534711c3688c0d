// Next hops, ECMP groups and labels: content, references, what is refused; and the interfaces and VRFs that they hang on.
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as L from '../../../wasm-core/layout.ts';
import * as R from '../../../wasm-core/records.ts';
import { discards, ecmpSlot, iface, label, networkOrder, nexthop, route, Tables, vrf, type PackedRecord } from './harness.ts';

const test = suite('next hops');
const at = (id: number): number => L.NEXTHOPS + id * 2 ** L.NEXTHOP_SHIFT;
const hex = (tables: Tables, from: number, bytes: number): string => Buffer.from(tables.bytes.slice(from, from + bytes)).toString('hex');

function fresh(): Tables {
  const tables = new Tables();
  tables.apply(vrf(0), vrf(5), iface({ id: 1, kind: L.IFK_FABRIC, mac: 0x02AABBCCDDEE }), iface({ id: 2, vrf: 5, mtu: 9000 }));
  return tables;
}

const tunnel = { id: 10, kind: L.NHK_TUNNEL_GRE, interface: 1, remote: 0xC0000202, local: 0xC0000201, value: 0x12345 };

test('a tunnel: template, checksum, MTU, neighbour', () => {
  const tables = fresh();
  tables.apply(nexthop({ ...tunnel, flags: L.NHF_EXTERNAL }), nexthop({ ...tunnel, id: 11, gateway: 0xC0000263, mtu: 1400 }));
  assert.is(hex(tables, at(10) + L.NH_TEMPLATE_ETHERNET, 14), '000000000000' + '02aabbccddee' + '0800');
  assert.is(hex(tables, at(10) + L.NH_TEMPLATE_IPV4, 20), '45000000' + '00004000' + '402f0000' + 'c0000201' + 'c0000202');
  assert.is(hex(tables, at(10) + L.NH_TEMPLATE_GRE, 8), '00008847' + '12345140');
  let sum = 0;
  for (let i = 0; i < 20; i += 2) sum += tables.u16(at(10) + L.NH_TEMPLATE_IPV4 + i);
  assert.is(tables.u32(at(10) + L.NH_CHECKSUM), sum);
  assert.is(tables.u32(at(10) + L.NH_AUX), 0x12345);
  assert.is(tables.view.getUint32(at(10) + L.NH_REMOTE), 0xC0000202);
  assert.is(tables.u8(at(10) + L.NH_FLAGS), L.NHF_EXTERNAL);
  assert.equal([tables.u16(at(10) + L.NH_MTU), tables.u16(at(11) + L.NH_MTU)], [1472, 1400]);
  assert.is(tables.u32(at(10) + L.NH_NEIGHBOUR), tables.exports.neighbourFind(1, networkOrder(0xC0000202)));
  assert.is(tables.u32(at(11) + L.NH_NEIGHBOUR), tables.exports.neighbourFind(1, networkOrder(0xC0000263)));
});

test('a workload: its MAC is known at once, and forgotten with the next hop', () => {
  const tables = fresh();
  tables.apply(nexthop({ id: 3, kind: L.NHK_INTERFACE, interface: 2, remote: 0x0A200003, mac: 0x02D0C0B0A003 }));
  const neighbour = tables.exports.neighbourFind(2, networkOrder(0x0A200003));
  const word = (): string => hex(tables, L.NEIGHBOURS + neighbour * 2 ** L.NEIGHBOUR_SHIFT + L.NB_MAC, 8);
  assert.is(word(), '02d0c0b0a003' + '0200');
  assert.is(tables.u32(L.NEIGHBOURS + neighbour * 64 + L.NB_FLAGS), L.NBF_STATIC);
  // The interface gets another MAC and MTU.
  tables.apply(nexthop({ ...tunnel, interface: 2 }), iface({ id: 2, vrf: 5, mtu: 1300, mac: 0x0EF102030405 }));
  assert.is(word(), '02d0c0b0a003' + '0ef1');
  assert.equal([tables.u16(at(3) + L.NH_MTU), tables.u16(at(10) + L.NH_MTU)], [1300, 1272]);
  assert.is(hex(tables, at(10) + L.NH_TEMPLATE_ETHERNET + 6, 6), '0ef102030405');
  tables.apply(nexthop({ id: 3, kind: 0 }));
  assert.is(word(), '0000000000000000');
});

test('refused: what is malformed, out of range, or leads to something that is not there', () => {
  const tables = fresh();
  const refused: [PackedRecord, number][] = [
    [nexthop({ id: 0, kind: L.NHK_DISCARD }), R.RESULT_OUT_OF_RANGE],
    [nexthop({ id: L.MAX_NEXTHOPS, kind: L.NHK_DISCARD }), R.RESULT_OUT_OF_RANGE],
    [nexthop({ id: 9, kind: L.NHK_TUNNEL_UDP }), R.RESULT_MALFORMED],
    [nexthop({ id: 9, kind: L.NHK_TUNNEL_VXLAN }), R.RESULT_MALFORMED],
    [nexthop({ id: 9, kind: 77 }), R.RESULT_MALFORMED],
    [nexthop({ id: 9, kind: L.NHK_DISCARD, flags: 4 }), R.RESULT_MALFORMED],
    [nexthop({ id: 9, kind: 0 }), R.RESULT_NOT_FOUND],
    [nexthop({ ...tunnel, interface: 77 }), R.RESULT_NO_INTERFACE],
    [nexthop({ ...tunnel, interface: 9999 }), R.RESULT_NO_INTERFACE],
    [nexthop({ ...tunnel, remote: 0 }), R.RESULT_MALFORMED],
    [nexthop({ ...tunnel, local: 0 }), R.RESULT_MALFORMED],
    [nexthop({ ...tunnel, value: 15 }), R.RESULT_OUT_OF_RANGE],
    [nexthop({ ...tunnel, value: L.MAX_LABELS }), R.RESULT_OUT_OF_RANGE],
    [nexthop({ ...tunnel, mtu: 67 }), R.RESULT_OUT_OF_RANGE],
    [nexthop({ id: 9, kind: L.NHK_INTERFACE, interface: 2 }), R.RESULT_MALFORMED],
    [nexthop({ id: 9, kind: L.NHK_INTERFACE, interface: 2, mac: 0x010000000001 }), R.RESULT_MALFORMED],
    [nexthop({ id: 9, kind: L.NHK_VRF, value: 6 }), R.RESULT_NO_VRF],
    [nexthop({ id: 9, kind: L.NHK_VRF, value: 0x10005 }), R.RESULT_NO_VRF],
    [nexthop({ id: 9, kind: L.NHK_ECMP, value: 0 }), R.RESULT_OUT_OF_RANGE],
    [nexthop({ id: 9, kind: L.NHK_ECMP, value: 257 }), R.RESULT_OUT_OF_RANGE],
    [ecmpSlot(9, 0, 1), R.RESULT_NO_NEXTHOP],
    [label(15, 1), R.RESULT_OUT_OF_RANGE],
    [label(L.MAX_LABELS, 1), R.RESULT_OUT_OF_RANGE],
    [label(16, 9), R.RESULT_NO_NEXTHOP],
    [label(16, 0), R.RESULT_NOT_FOUND],
    [iface({ id: 0 }), R.RESULT_OUT_OF_RANGE],
    [iface({ id: L.MAX_INTERFACES }), R.RESULT_OUT_OF_RANGE],
    [iface({ id: 3, vrf: 6 }), R.RESULT_NO_VRF],
    [iface({ id: 3, mac: 0 }), R.RESULT_MALFORMED],
    [iface({ id: 3, mac: 0x030000000001 }), R.RESULT_MALFORMED],
    [iface({ id: 3, kind: 9 }), R.RESULT_MALFORMED],
    [iface({ id: 3, flags: L.IFF_FIP_SOURCE }), R.RESULT_MALFORMED],
    [iface({ id: 3, mtu: 67 }), R.RESULT_OUT_OF_RANGE],
    [iface({ id: 3, mask: 0xFF00FF00 }), R.RESULT_MALFORMED],
    [iface({ id: 3, vlan: 5 }), R.RESULT_NO_INTERFACE],
    [iface({ id: 3, vlan: 5, parent: 3 }), R.RESULT_NO_INTERFACE],
    [iface({ id: 3, vlan: 4095, parent: 1 }), R.RESULT_OUT_OF_RANGE],
    [iface({ id: 3, kind: 0 }), R.RESULT_NOT_FOUND],
    [vrf(0x10000), R.RESULT_OUT_OF_RANGE],
    [vrf(9, 3), R.RESULT_MALFORMED],
    [vrf(9, 0, L.VRFF_EXISTS), R.RESULT_MALFORMED],
    [vrf(9, R.VR_DELETE), R.RESULT_NOT_FOUND],
    [vrf(5, R.VR_DELETE), R.RESULT_IN_USE],
  ];
  for (const [record, result] of refused) assert.is(tables.tryApply([record])[0], result, `kind ${record.kind}: ${Buffer.from(record.bytes).toString('hex')}`);
  assert.is(tables.exports.apply(99, 3), 3);
  assert.is(tables.exports.apply(R.RECORD_ROUTE, 0xFFFFFFFF) >>> 0, 0xFFFFFFFF);
});

test('sub-interfaces: found by their parent, VLAN ids unique, freed again', () => {
  const tables = fresh();
  const children = (): [number, number][] => {
    const found: [number, number][] = [];
    const field = (id: number, offset: number): number => tables.u16(L.INTERFACES + id * 128 + offset);
    for (let id = field(1, L.IF_VLAN_FIRST); id !== 0; id = field(id, L.IF_VLAN_NEXT)) found.push([id, field(id, L.IF_VLAN)]);
    return found.sort((a, b) => a[0] - b[0]);
  };
  tables.apply(...[3, 4, 5].map((id) => iface({ id, vlan: 100 + id, parent: 1 })));
  assert.equal(children(), [[3, 103], [4, 104], [5, 105]]);
  assert.equal(tables.tryApply([
    iface({ id: 6, vlan: 104, parent: 1 }), iface({ id: 6, vlan: 9, parent: 4 }), iface({ id: 1, vlan: 9, parent: 2 }), iface({ id: 1, kind: 0 }),
  ]), [R.RESULT_DUPLICATE, R.RESULT_NO_INTERFACE, R.RESULT_IN_USE, R.RESULT_IN_USE]);
  tables.apply(iface({ id: 4, vlan: 200, parent: 1 }), iface({ id: 3, parent: 0 }));
  assert.equal(children(), [[4, 200], [5, 105]]);
  tables.apply(iface({ id: 5, kind: 0 }), iface({ id: 4, kind: 0 }), iface({ id: 1, kind: 0 }));
});

test('content: the same again is confirmed, another one refused while in use, taken when not', () => {
  const tables = fresh();
  tables.apply(nexthop(tunnel), label(16, 10));
  tables.apply(nexthop(tunnel), nexthop({ ...tunnel, gateway: tunnel.remote }));
  for (const other of [{ value: 77 }, { remote: 1 }, { local: 1 }, { gateway: 1 }, { mtu: 1472 }, { flags: L.NHF_EXTERNAL }, { mac: 0x020000000001 }, { interface: 2 }]) {
    assert.equal(tables.tryApply([nexthop({ ...tunnel, ...other })]), [R.RESULT_IMMUTABLE], JSON.stringify(other));
  }
  assert.equal(tables.tryApply([nexthop({ id: 10, kind: L.NHK_DISCARD }), nexthop({ id: 10, kind: 0 })]), [R.RESULT_IMMUTABLE, R.RESULT_IN_USE]);
  tables.apply(label(16, 0), nexthop({ ...tunnel, value: 77 }));
  assert.is(tables.u32(at(10) + L.NH_AUX), 77);
});

test('a deleted id comes back only when every lcore has passed', () => {
  const tables = fresh();
  tables.view.setUint32(L.LCORES + L.LC_STATE, L.LCORE_RUNNING, true);
  tables.apply(nexthop(tunnel), nexthop({ id: 10, kind: 0 }));
  assert.equal(tables.tryApply([nexthop({ id: 10, kind: L.NHK_DISCARD })]), [R.RESULT_IN_USE]);
  assert.is(hex(tables, at(10) + L.NH_TEMPLATE_GRE, 8), '00008847' + '12345140'); // a packet in flight may be on it
  tables.view.setUint32(L.LCORES + L.LC_STATE, L.LCORE_IDLE, true);
  tables.apply(nexthop({ id: 10, kind: L.NHK_DISCARD }));
});

test('ECMP: slots of a batch change together, one alone in place; place-holders; another size', () => {
  const tables = fresh();
  tables.apply(...discards(20, 5), nexthop({ id: 30, kind: L.NHK_ECMP, value: 5 }));
  const group = (): number[] => {
    const aux = tables.u32(at(30) + L.NH_AUX);
    return Array.from({ length: (aux >>> 24) + 1 }, (_, i) => tables.u32(L.ECMP + (aux & 0xFFFFFF) * L.ECMP_UNIT * 4 + 4 * i));
  };
  assert.equal(group(), [0, 0, 0, 0, 0]);
  tables.apply(ecmpSlot(30, 0, 20), ecmpSlot(30, 4, 24), ecmpSlot(30, 2, 22), ecmpSlot(30, 2, 21));
  assert.equal(group(), [20, 0, 21, 0, 24]);
  assert.equal(tables.tryApply([nexthop({ id: 22, kind: 0 }), nexthop({ id: 24, kind: 0 })]), [R.RESULT_OK, R.RESULT_IN_USE]);
  assert.equal(
    tables.tryApply([ecmpSlot(30, 5, 20), ecmpSlot(30, 0, 30), ecmpSlot(30, 0, 99), ecmpSlot(20, 0, 21), ecmpSlot(30, 4, 0), ecmpSlot(30, 1, 23)]),
    [R.RESULT_OUT_OF_RANGE, R.RESULT_MALFORMED, R.RESULT_NO_NEXTHOP, R.RESULT_NO_NEXTHOP, R.RESULT_OK, R.RESULT_OK],
  );
  assert.equal(group(), [20, 23, 21, 0, 0]);
  const aux = tables.u32(at(30) + L.NH_AUX);
  tables.apply(ecmpSlot(30, 3, 20));
  assert.is(tables.u32(at(30) + L.NH_AUX), aux);
  tables.apply(nexthop({ id: 30, kind: L.NHK_ECMP, value: 256 }));
  assert.equal(group(), [20, 23, 21, 20, ...Array<number>(252).fill(0)]);
  tables.apply(nexthop({ id: 30, kind: L.NHK_ECMP, value: 1 }));
  assert.equal(group(), [20]);
  assert.equal([20, 21, 23].map((id) => tables.u32(L.NEXTHOP_REFS + 4 * id)), [1, 0, 0]);
  tables.apply(nexthop({ id: 30, kind: 0 }), ...discards(20, 1).map((r) => ({ ...r, bytes: r.bytes.with(R.NX_KIND, 0) })));
});

// ---- references --------------------------------------------------------------------------------------------------------------
const IDS = 8;
const SLOTS = 4;
const referrers = fc.array(
  fc.oneof(
    fc.record({ op: fc.constant('nexthop' as const), id: fc.integer({ min: 1, max: IDS }), make: fc.boolean() }),
    fc.record({ op: fc.constant('route' as const), key: fc.nat(15), id: fc.integer({ min: 0, max: IDS + 1 }) }),
    fc.record({ op: fc.constant('label' as const), key: fc.nat(5), id: fc.integer({ min: 0, max: IDS + 1 }) }),
    fc.record({ op: fc.constant('slot' as const), key: fc.nat(SLOTS - 1), id: fc.integer({ min: 0, max: IDS + 1 }) }),
  ),
  { maxLength: 150, size: 'max' },
);

test('references of routes, labels and ECMP slots are counted exactly', () => {
  const tables = new Tables();
  tables.apply(vrf(5), nexthop({ id: 50, kind: L.NHK_ECMP, value: SLOTS }));
  fc.assert(fc.property(referrers, (steps) => {
    const live = new Set<number>();
    const refs = { route: new Map<number, number>(), label: new Map<number, number>(), slot: new Map<number, number>() };
    const count = (id: number): number => Object.values(refs).flatMap((map) => [...map.values()]).filter((v) => v === id).length;
    for (const step of steps) {
      if (step.op === 'nexthop') {
        const want = step.make ? R.RESULT_OK : !live.has(step.id) ? R.RESULT_NOT_FOUND : count(step.id) > 0 ? R.RESULT_IN_USE : R.RESULT_OK;
        assert.equal(tables.tryApply([nexthop({ id: step.id, kind: step.make ? L.NHK_DISCARD : 0 })]), [want]);
        if (step.make) live.add(step.id);
        else if (want === R.RESULT_OK) live.delete(step.id);
      } else {
        const map = refs[step.op];
        const record = step.op === 'route' ? route(5, 0x0A000000 + step.key * 4, 30 + (step.key & 1), step.id)
          : step.op === 'label' ? label(16 + step.key, step.id) : ecmpSlot(50, step.key, step.id);
        const want = step.id !== 0 && !live.has(step.id) ? R.RESULT_NO_NEXTHOP
          : step.id === 0 && step.op !== 'slot' && !map.has(step.key) ? R.RESULT_NOT_FOUND : R.RESULT_OK;
        assert.equal(tables.tryApply([record]), [want], JSON.stringify(step));
        if (want === R.RESULT_OK) {
          if (step.id === 0) map.delete(step.key);
          else map.set(step.key, step.id);
        }
      }
    }
    for (const id of live) assert.is(tables.u32(L.NEXTHOP_REFS + 4 * id), count(id), `references of ${id}`);
    for (const [key, id] of refs.label) assert.is(tables.u32(L.LABELS + 4 * (16 + key)), id);
    for (const key of refs.route.keys()) tables.apply(route(5, 0x0A000000 + key * 4, 30 + (key & 1), 0));
    for (const key of refs.label.keys()) tables.apply(label(16 + key, 0));
    for (const key of refs.slot.keys()) tables.apply(ecmpSlot(50, key, 0));
    for (const id of live) tables.apply(nexthop({ id, kind: 0 }));
    tables.reclaim();
  }), { numRuns: 100 });
  for (const kind of [R.RECORD_ROUTE, R.RECORD_LABEL, R.RECORD_ECMP]) assert.is(tables.exports.total(kind), 0);
});

test.run();
