// Floating IPs: both hash tables against a plain model, in so few buckets that chains of full ones are common.
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as L from '../../../wasm-core/layout.ts';
import * as R from '../../../wasm-core/records.ts';
import { discards, floatingIp, iface, networkOrder, nexthop, Tables, vrf, type FloatingIpFields, type PackedRecord } from './harness.ts';

const test = suite('floating IPs');
const INTERFACES = [1, 2, 3];
const VRFS = [10, 11, 12];
const PUBLICS = Array.from({ length: 12 }, (_, i) => 0x65656500 + i);
const PRIVATES = Array.from({ length: 5 }, (_, i) => 0x0A200000 + i);
const NEXTHOP_OF = (id: number): number => 100 + id;

function fresh(fipBuckets: number): Tables {
  const tables = new Tables({ fipBuckets });
  tables.apply(
    ...VRFS.map((id) => vrf(id)), vrf(0), ...INTERFACES.map((id) => iface({ id })), ...discards(1, 3),
    ...INTERFACES.map((id) => nexthop({ id: NEXTHOP_OF(id), kind: L.NHK_INTERFACE, interface: id, mac: 0x020000001000 + id })),
  );
  return tables;
}

// ---- the model -------------------------------------------------------------------------------------------------------------
type Fip = Required<FloatingIpFields>;
const identity = (f: Fip): string => `${f.public} ${f.vrf} ${f.interface}`;

/** RFC 1624 eqn. 3 over the two address words as 16-bit network-order halves, folded. */
function delta(from: number, to: number): number {
  const halves = (address: number): [number, number] => [networkOrder(address) & 0xFFFF, networkOrder(address) >>> 16];
  let sum = 0;
  for (const half of halves(from)) sum += ~half & 0xFFFF;
  for (const half of halves(to)) sum += half;
  while (sum > 0xFFFF) sum = (sum & 0xFFFF) + (sum >>> 16);
  return sum;
}

class FipModel {
  readonly fips = new Map<string, Fip>();

  apply(f: Fip): number {
    const key = identity(f);
    if (f.direction === 0) return this.fips.delete(key) ? R.RESULT_OK : R.RESULT_NOT_FOUND;
    if (f.direction > 4 || f.public === 0 || f.private === 0) return R.RESULT_MALFORMED;
    if ((f.direction === R.FLD_PERMIT) !== (f.public === f.private)) return R.RESULT_MALFORMED;
    if (!INTERFACES.includes(f.interface)) return R.RESULT_NO_INTERFACE;
    if (!VRFS.includes(f.vrf) && f.vrf !== 0) return R.RESULT_NO_VRF;
    const rival = [...this.fips.values()].some((o) => o.interface === f.interface && o.public === f.public && o.vrf !== f.vrf && isIngress(o));
    if (isIngress(f) && rival) return R.RESULT_DUPLICATE;
    this.fips.set(key, f);
    return R.RESULT_OK;
  }

  public(ifaceId: number, address: number): Fip | undefined {
    return [...this.fips.values()].find((f) => f.interface === ifaceId && f.public === address && isIngress(f));
  }

  /** Those that translate sources of (interface, address), in order. */
  egress(ifaceId: number, address: number): Fip[] {
    const found = [...this.fips.values()].filter((f) => f.interface === ifaceId && f.private === address && isEgress(f));
    return found.sort((a, b) => a.order - b.order || a.public - b.public || a.vrf - b.vrf);
  }

  permits(ifaceId: number, address: number): boolean {
    return [...this.fips.values()].some((f) => f.interface === ifaceId && f.private === address && f.direction === R.FLD_PERMIT);
  }
}

const isIngress = (f: Fip): boolean => f.direction === L.FIPD_INGRESS || f.direction === L.FIPD_BOTH;
const isEgress = (f: Fip): boolean => f.direction === L.FIPD_EGRESS || f.direction === L.FIPD_BOTH;

// ---- what the core has -------------------------------------------------------------------------------------------------------
function expectSame(tables: Tables, model: FipModel): void {
  for (const id of INTERFACES) {
    for (const address of [...PUBLICS, ...PRIVATES]) {
      assert.equal(readPublic(tables, id, address), wantPublic(model, id, address), `public (${id}, ${address.toString(16)})`);
      assert.equal(readPrivate(tables, id, address), wantPrivate(model, id, address), `private (${id}, ${address.toString(16)})`);
    }
    const own = [...model.fips.values()].filter((f) => f.interface === id);
    const at = L.INTERFACES + id * 2 ** L.INTERFACE_SHIFT;
    const flags = L.IFF_UP | (own.some(isEgress) ? L.IFF_FIP_SOURCE : 0) | (own.some(isIngress) ? L.IFF_FIP_DESTINATION : 0);
    assert.is(tables.u8(at + L.IF_FLAGS), flags, `flags of interface ${id}`);
    const nexthopFlags = tables.u8(L.NEXTHOPS + NEXTHOP_OF(id) * 2 ** L.NEXTHOP_SHIFT + L.NH_FLAGS);
    assert.is((nexthopFlags & L.NHF_FIP) !== 0, own.some(isIngress), `NHF_FIP of interface ${id}`);
  }
  assert.is(tables.exports.total(R.RECORD_FLOATING_IP), model.fips.size);
}

type Lane = { to: number; delta: number; vrf: number };

function readPublic(tables: Tables, id: number, address: number): Lane | undefined {
  const lane = tables.exports.fipPublic(id, networkOrder(address));
  return lane === 0 ? undefined : readLane(tables, lane);
}

function wantPublic(model: FipModel, id: number, address: number): Lane | undefined {
  const f = model.public(id, address);
  return f && { to: f.private, delta: delta(f.public, f.private), vrf: f.vrf };
}

function readLane(tables: Tables, lane: number): Lane {
  return { to: tables.view.getUint32(lane + L.FIP_NEW), delta: tables.u32(lane + L.FIP_DELTA), vrf: tables.u32(lane + L.FIP_TAG) >>> L.TAG_VRF_SHIFT };
}

/** "permit", or the translations in order. */
function readPrivate(tables: Tables, id: number, address: number): Lane[] | 'permit' | undefined {
  const lane = tables.exports.fipPrivate(id, networkOrder(address));
  if (lane === 0) return undefined;
  if ((tables.u32(lane + L.FIP_TAG) & L.TAG_CHAIN) === 0) {
    const single = readLane(tables, lane);
    return single.to === address ? 'permit' : [single];
  }
  const chain: Lane[] = [];
  for (let record = tables.u32(lane + L.FIP_NEW); record !== 0; record = tables.u32(record + L.FR_NEXT)) {
    if ((tables.u8(record + L.FR_DIRECTION) & L.FIPD_EGRESS) === 0) continue;
    chain.push({ to: tables.view.getUint32(record + L.FR_PUBLIC), delta: tables.u32(record + L.FR_DELTA), vrf: tables.u32(record + L.FR_VRF) });
  }
  assert.ok(chain.length > 1, 'a chain has at least two translations');
  return chain;
}

function wantPrivate(model: FipModel, id: number, address: number): Lane[] | 'permit' | undefined {
  const egress = model.egress(id, address);
  if (egress.length > 0) return egress.map((f) => ({ to: f.public, delta: delta(f.private, f.public), vrf: f.vrf }));
  return model.permits(id, address) ? 'permit' : undefined;
}

// ---- tests -----------------------------------------------------------------------------------------------------------------
const floatingIps: fc.Arbitrary<Fip> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      public: fc.constantFrom(...PUBLICS), private: fc.constantFrom(...PRIVATES), vrf: fc.constantFrom(...VRFS), interface: fc.constantFrom(...INTERFACES),
      direction: fc.constantFrom(0, 0, 1, 2, 3, 3), order: fc.integer({ min: 0, max: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ private: fc.constantFrom(...PRIVATES), interface: fc.constantFrom(...INTERFACES), direction: fc.constantFrom(0, R.FLD_PERMIT) })
      .map((f) => ({ ...f, public: f.private, vrf: 0, order: 0 })),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      public: fc.constantFrom(0, PUBLICS[0]!, PRIVATES[0]!), private: fc.constantFrom(0, PRIVATES[0]!), vrf: fc.constantFrom(VRFS[0]!, 999, 70000),
      interface: fc.constantFrom(1, 77), direction: fc.constantFrom(1, 3, 4, 5), order: fc.constant(0),
    }),
  },
);

test('random floating IPs: lanes, chains, flags of interfaces and next hops', () => {
  const tables = fresh(8);
  fc.assert(
    fc.property(fc.array(fc.tuple(floatingIps, fc.boolean()), { maxLength: 80, size: 'max' }), (steps) => {
      const model = new FipModel();
      for (const [f, isReclaimed] of steps) {
        const [got] = tables.tryApply([floatingIp(f)]);
        if (got === R.RESULT_TABLE_FULL) {
          tables.reclaim(); // tombstones waited for readers
          continue;
        }
        assert.is(got, model.apply(f), JSON.stringify(f));
        if (isReclaimed) tables.reclaim();
        expectSame(tables, model);
      }
      for (const f of [...model.fips.values()]) tables.apply(floatingIp({ ...f, direction: 0 }));
      model.fips.clear();
      expectSame(tables, model);
      tables.reclaim();
      expectEmpty(tables);
    }),
    { numRuns: 40 },
  );
});

/** No key and no tombstone is left: a probe ends in the first bucket again. */
function expectEmpty(tables: Tables): void {
  for (const table of [L.FIP_PUBLIC, L.FIP_PRIVATE]) {
    const buckets = tables.u32(L.HEADER + L.H_FIP_MASK) + 1;
    for (let bucket = 0; bucket < buckets; bucket++) {
      const at = table + bucket * 2 ** L.FIP_BUCKET_SHIFT;
      assert.equal([0, 4, 8, 12].map((lane) => tables.u32(at + lane)), [0, 0, 0, 0], `bucket ${bucket} of ${table.toString(16)}`);
    }
  }
}

test('a full table refuses, keeps what it has, and takes again after deletions', () => {
  const tables = fresh(4);
  const fips = Array.from({ length: 14 }, (_, i) => ({ public: 0x65656500 + i, private: 0x0A200000 + i, vrf: 10, interface: 1, direction: 3 }));
  const results = tables.tryApply(fips.map(floatingIp));
  assert.equal(results, [...Array<number>(12).fill(R.RESULT_OK), R.RESULT_TABLE_FULL, R.RESULT_TABLE_FULL]);
  for (const f of fips.slice(0, 12)) assert.not.equal(readPublic(tables, 1, f.public), undefined);
  tables.apply(floatingIp({ ...fips[0]!, direction: 0 }), floatingIp({ ...fips[1]!, direction: 0 }));
  tables.reclaim();
  tables.apply(floatingIp(fips[12]!), floatingIp(fips[13]!));
  for (const f of fips.slice(2)) assert.not.equal(readPublic(tables, 1, f.public), undefined);
});

test('a reader that has found a lane keeps its translation until it passes', () => {
  const tables = fresh(16);
  tables.view.setUint32(L.LCORES + L.LC_STATE, L.LCORE_RUNNING, true); // lcore 0 stands in a vector
  const f = { public: PUBLICS[0]!, private: PRIVATES[0]!, vrf: 10, interface: 1, direction: 3 };
  tables.apply(floatingIp(f));
  const lane = tables.exports.fipPublic(1, networkOrder(f.public));
  const found = readLane(tables, lane);
  tables.apply(floatingIp({ ...f, private: PRIVATES[1]! }), floatingIp({ ...f, private: PRIVATES[2]! }), floatingIp({ ...f, direction: 0 }));
  for (let i = 0; i < 8; i++) tables.apply(floatingIp({ ...f, public: PUBLICS[i]!, private: PRIVATES[3]! }));
  tables.reclaim();
  assert.equal(readLane(tables, lane), found);
  tables.view.setUint32(L.LCORES + L.LC_EPOCH, tables.exports.advance(), true);
  assert.is(tables.exports.collect(), 0);
});

test('interface, VRF and permit rules', () => {
  const tables = fresh(16);
  const f = { public: PUBLICS[0]!, private: PRIVATES[0]!, vrf: 10, interface: 1, direction: 3 };
  tables.apply(floatingIp(f));
  const inUse: PackedRecord[] = [iface({ id: 1, kind: L.IFK_NONE }), vrf(10, R.VR_DELETE)];
  assert.equal(tables.tryApply(inUse), [R.RESULT_IN_USE, R.RESULT_IN_USE]);
  // The flags that the core keeps outlive a new record of the interface.
  tables.apply(iface({ id: 1, flags: L.IFF_UP | L.IFF_SOURCE_CHECK }));
  assert.is(tables.u8(L.INTERFACES + 128 + L.IF_FLAGS), L.IFF_UP | L.IFF_SOURCE_CHECK | L.IFF_FIP_SOURCE | L.IFF_FIP_DESTINATION);
  tables.apply(floatingIp({ ...f, direction: 0 }), nexthop({ id: NEXTHOP_OF(1), kind: 0 }));
  assert.equal(tables.tryApply(inUse), [R.RESULT_OK, R.RESULT_OK]);
});

test.run();
