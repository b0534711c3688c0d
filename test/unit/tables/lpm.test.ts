// Longest prefix match of all three kinds against a plain model, under inserts, changes, withdrawals and conversions.
// limit: 300 s
import * as assert from 'uvu/assert';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as L from '../../../wasm-core/layout.ts';
import * as R from '../../../wasm-core/records.ts';
import { discards, mask, route, Tables, vrf, type PackedRecord } from './harness.ts';
import { LpmModel } from './lpm-model.ts';
import { random } from './random.ts';

const test = suite('LPM');
const VRF = 7;
const NEXTHOPS = 40;
/** Beyond what a DIR-24-8 entry can name. */
const WIDE = L.DIR24_MAX_NH + 3;
const tables = new Tables();
tables.apply(...discards(1, NEXTHOPS), ...discards(WIDE, 1));

/** Addresses where a route's answer can change: just inside and just outside of it, and somewhere in it. */
function probes(prefix: number, length: number): number[] {
  const last = (prefix | ~mask(length)) >>> 0;
  return [prefix, last, (prefix - 1) >>> 0, (last + 1) >>> 0, (prefix + ((last - prefix) >>> 1)) >>> 0];
}

function expectSame(model: LpmModel, addresses: Iterable<number>, context: string): void {
  for (const address of addresses) {
    const got = tables.lookup(VRF, address);
    const want = model.lookup(address);
    if (got?.[0] !== want?.[0] || got?.[1] !== want?.[1]) {
      assert.unreachable(`${context}: address ${address.toString(16)}: [next hop, length] is ${got} and should be ${want}`);
    }
    const node = tables.exports.lookupRib(VRF, networkWord(address));
    if ((node === 0) !== (want === undefined)) assert.unreachable(`${context}: the RIB has ${node} for ${address.toString(16)}, the model ${want}`);
  }
}

function networkWord(address: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, address);
  return view.getUint32(0, true);
}

// Short lengths, byte and stride borders and host routes, crowded into few addresses so that they nest.
const lengths = fc.oneof(fc.integer({ min: 0, max: 32 }), fc.constantFrom(0, 1, 7, 8, 9, 13, 14, 15, 20, 23, 24, 25, 26, 31, 32));
const addresses = fc.oneof(
  fc.integer({ min: 0, max: 0xFFFFFFFF }),
  fc.tuple(fc.constantFrom(0, 0x0A000000, 0x0A202000, 0x65656500, 0x7FFFFF00, 0xFFFFFF00), fc.integer({ min: 0, max: 0x3FF })).map(([a, b]) => (a | b) >>> 0),
);
const prefixes = fc.tuple(addresses, lengths).map(([address, length]) => [(address & mask(length)) >>> 0, length] as const);
const operations = fc.array(
  fc.oneof(
    { weight: 10, arbitrary: fc.record({ op: fc.constant('set' as const), prefix: prefixes, nexthop: fc.integer({ min: 1, max: NEXTHOPS }) }) },
    { weight: 5, arbitrary: fc.record({ op: fc.constant('delete' as const), prefix: prefixes }) },
    { weight: 5, arbitrary: fc.record({ op: fc.constant('delete-known' as const), index: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ op: fc.constant('flush' as const) }) },
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
);

type Operations = typeof operations extends fc.Arbitrary<infer T> ? T : never;

/** Runs operations in batches that end at each flush; the model and the core must agree after every batch. */
function runOperations(kind: number, ops: Operations, afterBatch: (n: number) => void): void {
  tables.apply(vrf(VRF, kind));
  const model = new LpmModel();
  const touched = new Set<number>([0, 0xFFFFFFFF, 0x80000000]);
  let batch: PackedRecord[] = [];
  let expected: number[] = [];
  let batches = 0;
  const flush = (): void => {
    assert.equal(tables.tryApply(batch), expected);
    afterBatch(batches++);
    tables.reclaim();
    expectSame(model, touched, `kind ${kind}, after ${batches} batches`);
    assert.is(tables.u32(L.VRFS + VRF * 2 ** L.VRF_SHIFT + L.VRF_ROUTES), model.size);
    batch = [];
    expected = [];
  };
  for (const op of ops) {
    if (op.op === 'flush') {
      flush();
    } else if (op.op === 'set') {
      const [prefix, length] = op.prefix;
      model.set(prefix, length, op.nexthop);
      for (const address of probes(prefix, length)) touched.add(address);
      batch.push(route(VRF, prefix, length, op.nexthop));
      expected.push(R.RESULT_OK);
    } else {
      const known = [...model.routes()];
      if (op.op === 'delete-known' && known.length === 0) continue;
      const [prefix, length] = op.op === 'delete' ? op.prefix : known[op.index % known.length]!;
      batch.push(route(VRF, prefix, length, 0));
      expected.push(model.delete(prefix, length) ? R.RESULT_OK : R.RESULT_NOT_FOUND);
    }
  }
  flush();
  tables.apply(vrf(VRF, R.VR_DELETE));
  tables.reclaim();
  assert.is(tables.lookup(VRF, 0x0A000001), undefined);
}

test('Poptrie: random routes', () => {
  fc.assert(fc.property(operations, (ops) => runOperations(L.LPM_POPTRIE, ops, () => {})), { numRuns: 300 });
});

test('DIR-24-8: random routes', () => {
  fc.assert(fc.property(operations, (ops) => runOperations(L.LPM_DIR24, ops, () => {})), { numRuns: 40 });
});

test('range table: random routes', () => {
  fc.assert(fc.property(operations, (ops) => runOperations(0, ops, () => {
    if (tables.lpmKind(VRF) !== L.LPM_EMPTY) assert.is(tables.lpmKind(VRF), L.LPM_RANGES);
  })), { numRuns: 1000 });
});

test('kinds converted into each other after every batch', () => {
  const kinds = [[L.LPM_DIR24, L.LPM_DIR24], [L.LPM_POPTRIE, L.LPM_POPTRIE], [0, L.LPM_RANGES]] as const;
  fc.assert(
    fc.property(operations, (ops) => runOperations(0, ops, (n) => {
      const [preferred, kind] = kinds[n % 3]!;
      assert.is(tables.exports.convert(VRF, preferred), R.RESULT_OK);
      if (tables.lpmKind(VRF) !== L.LPM_EMPTY) assert.is(tables.lpmKind(VRF), kind);
    })),
    { numRuns: 25 },
  );
});

/** A table's bytes by the writer's account must be what it takes from the heap, and what one built at once takes is a bound for it. */
test('range table: routes crowd in few places, come and go for long', () => {
  const next = random(4711);
  const model = new LpmModel();
  tables.reclaim();
  const before = tables.heapBytes();
  tables.apply(vrf(VRF));
  // Host routes of some networks, networks in a larger one, and the whole space; always below a default route.
  const draw = [
    (): number[] => [0x65650000 + (next(4) << 8) + next(256), 32],
    (): number[] => [0x0A200000 + (next(512) << 8), 24],
    (): number[] => [0x0A200000 + next(2 ** 14) * 4, 30],
    (): number[] => { const length = 8 + next(25); return [next(2 ** 32) & mask(length), length]; },
    (): number[] => { const length = next(12); return [next(2 ** 32) & mask(length), length]; },
  ];
  const known: [number, number][] = [];
  const touched = new Set<number>([0, 0xFFFFFFFF]);
  for (let round = 0; round < 400; round++) {
    const batch: PackedRecord[] = [];
    // It grows for hundred rounds, then shrinks for hundred, twice.
    const grows = Math.floor(round / 100) % 2 === 0;
    const source = draw[next(draw.length)]!;
    const seen = new Set<string>();
    for (let n = 1 + next(40); n > 0; n--) {
      if (known.length > 0 && next(10) < (grows ? 2 : 9)) {
        const [prefix, length] = known.splice(next(known.length), 1)[0]!;
        if (seen.has(`${prefix}/${length}`) || !model.delete(prefix, length)) continue;
        batch.push(route(VRF, prefix, length, 0));
      } else {
        const [first = 0, length = 0] = source();
        const prefix = first >>> 0;
        const nexthop = 1 + next(NEXTHOPS);
        seen.add(`${prefix}/${length}`);
        if (model.get(prefix, length) === undefined) known.push([prefix, length]);
        model.set(prefix, length, nexthop);
        for (const address of probes(prefix, length)) touched.add(address);
        batch.push(route(VRF, prefix, length, nexthop));
      }
    }
    tables.applyAll(batch);
    // Sometimes what was changed is changed again before its readers have passed.
    if (next(3) !== 0) {
      tables.reclaim();
      tables.reclaim();
      assert.is(tables.exports.collect(), 0);
      assert.is(tables.heapBytes() - before, tables.u32(L.VRFS + VRF * 2 ** L.VRF_SHIFT + L.VRF_BYTES), `round ${round}: bytes of the heap, and by account`);
    }
    if (model.size > 0) assert.is(tables.lpmKind(VRF), L.LPM_RANGES);
    expectSame(model, round % 20 === 0 ? touched : [...touched].slice(-400), `round ${round}, ${model.size} routes`);
  }
  tables.apply(vrf(VRF, R.VR_DELETE));
});

for (const [name, kind] of [['Poptrie', L.LPM_POPTRIE], ['DIR-24-8', L.LPM_DIR24], ['by size', 0]] as const) {
  test(`${name}: grows to 40,000 routes and shrinks again, in batches of many sizes`, () => {
    const next = random(kind * 77);
    const model = new LpmModel();
    tables.apply(vrf(VRF, kind));
    const known: [number, number][] = [];
    const pick = (): number[] => Array.from({ length: 3000 }, () => {
      const [prefix, length] = known.length === 0 ? [0, 0] : known[next(known.length)]!;
      return (prefix | (next(2 ** 32) & ~mask(length))) >>> 0;
    });
    const lengthsOfInternet = [8, 12, 16, 18, 19, 20, 21, 22, 23, 24, 24, 24, 24, 26, 28, 30, 32];
    const bits = new Set<number>();
    const kinds = new Set<number>();
    while (model.size < 40000) {
      const batch: PackedRecord[] = [];
      for (let n = 1 + next(4000); n > 0; n--) {
        const length = lengthsOfInternet[next(lengthsOfInternet.length)]!;
        const prefix = ((next(2) === 0 ? next(2 ** 32) : 0x0A000000 + next(2 ** 22)) & mask(length)) >>> 0;
        const nexthop = 1 + next(NEXTHOPS);
        model.set(prefix, length, nexthop);
        known.push([prefix, length]);
        batch.push(route(VRF, prefix, length, nexthop));
      }
      tables.applyAll(batch);
      tables.reclaim();
      bits.add(32 - tables.u8(L.VRFS + VRF * 64 + L.VRF_LPM_SHIFT));
      kinds.add(tables.lpmKind(VRF));
      expectSame(model, pick(), `${model.size} routes`);
    }
    if (kind === L.LPM_POPTRIE) assert.ok(bits.has(14) && bits.has(18), `direct tables of ${[...bits]} bits were seen`);
    if (kind === 0) assert.equal([...kinds], [L.LPM_RANGES, L.LPM_POPTRIE]);
    // The default route comes and goes over a full table, changes of next hops, then all is withdrawn.
    for (const nexthop of [5, 6, 0]) {
      if (nexthop === 0) model.delete(0, 0);
      else model.set(0, 0, nexthop);
      tables.apply(route(VRF, 0, 0, nexthop));
      expectSame(model, [...pick(), 0, 0xFFFFFFFF, ...Array.from({ length: 2000 }, () => next(2 ** 32))], `default route ${nexthop}`);
    }
    while (model.size > 0) {
      const batch: PackedRecord[] = [];
      const gone = new Set<string>();
      for (let n = 1 + next(6000); n > 0 && known.length > 0; n--) {
        const [prefix, length] = known.splice(next(known.length), 1)[0]!;
        if (!model.delete(prefix, length) || gone.has(`${prefix}/${length}`)) continue;
        gone.add(`${prefix}/${length}`);
        batch.push(route(VRF, prefix, length, 0));
      }
      tables.applyAll(batch);
      tables.reclaim();
      expectSame(model, pick(), `${model.size} routes left`);
    }
    assert.is(tables.lpmKind(VRF), L.LPM_EMPTY);
    tables.apply(vrf(VRF, R.VR_DELETE));
  });
}

test('the core chooses the kind by size, and goes back', () => {
  tables.apply(vrf(VRF));
  const batch = (from: number, to: number, nexthop: number): PackedRecord[] => Array.from({ length: to - from }, (_, i) => route(VRF, (0x0B000000 + (from + i) * 256) >>> 0, 24, nexthop));
  tables.applyAll(batch(0, 32767, 3));
  assert.is(tables.lpmKind(VRF), L.LPM_RANGES);
  tables.applyAll(batch(32767, 199999, 3));
  assert.is(tables.lpmKind(VRF), L.LPM_POPTRIE);
  tables.applyAll(batch(199999, 200000, 3));
  assert.is(tables.lpmKind(VRF), L.LPM_DIR24);
  assert.equal(tables.lookup(VRF, 0x0B000005), [3, 24]);
  // A next hop that DIR-24-8 cannot name.
  tables.apply(route(VRF, 0x0B000000, 24, WIDE));
  assert.is(tables.lpmKind(VRF), L.LPM_POPTRIE);
  assert.equal(tables.lookup(VRF, 0x0B000005), [WIDE, 24]);
  assert.is(tables.exports.convert(VRF, L.LPM_DIR24), R.RESULT_TABLE_FULL);
  assert.is(tables.exports.convert(VRF, 0), R.RESULT_OK);
  tables.apply(route(VRF, 0x0B000000, 24, 2));
  assert.is(tables.lpmKind(VRF), L.LPM_DIR24);
  tables.applyAll(batch(0, 100000, 0));
  assert.is(tables.lpmKind(VRF), L.LPM_DIR24);
  tables.applyAll(batch(100000, 100001, 0));
  assert.is(tables.lpmKind(VRF), L.LPM_POPTRIE);
  assert.equal(tables.lookup(VRF, (0x0B000000 + 150000 * 256) >>> 0), [3, 24]);
  tables.applyAll(batch(100001, 191808, 0));
  assert.is(tables.lpmKind(VRF), L.LPM_POPTRIE);
  tables.applyAll(batch(191808, 191809, 0));
  assert.is(tables.lpmKind(VRF), L.LPM_RANGES);
  assert.equal(tables.lookup(VRF, (0x0B000000 + 195000 * 256) >>> 0), [3, 24]);
  tables.apply(vrf(VRF, R.VR_DELETE));
  tables.reclaim();
});

test('DIR-24-8: more groups than a slot has make it a Poptrie', () => {
  tables.apply(vrf(VRF, L.LPM_DIR24));
  tables.applyAll(Array.from({ length: 32768 }, (_, i) => route(VRF, 0x0B000000 + i * 256, 25, 3)));
  assert.is(tables.lpmKind(VRF), L.LPM_DIR24);
  tables.apply(route(VRF, 0x14000000, 32, 4));
  assert.is(tables.lpmKind(VRF), L.LPM_POPTRIE);
  assert.equal(tables.lookup(VRF, 0x14000000), [4, 32]);
  assert.equal(tables.lookup(VRF, 0x0B000000 + 32767 * 256), [3, 25]);
  tables.apply(vrf(VRF, R.VR_DELETE));
  tables.reclaim();
});

test('a table without a free DIR-24-8 slot is a Poptrie', () => {
  const vrfs = Array.from({ length: L.DIR24_SLOTS + 1 }, (_, i) => 100 + i);
  for (const id of vrfs) tables.apply(vrf(id, L.LPM_DIR24), route(id, 0x0A000000, 8, 1 + id - 100));
  assert.equal(vrfs.map((id) => tables.lpmKind(id)), [...Array<number>(L.DIR24_SLOTS).fill(L.LPM_DIR24), L.LPM_POPTRIE]);
  for (const id of vrfs) assert.equal(tables.lookup(id, 0x0A0B0C0D), [1 + id - 100, 8]);
  for (const id of vrfs) tables.apply(vrf(id, R.VR_DELETE));
  tables.reclaim();
});

test('bad routes are refused alone', () => {
  tables.apply(vrf(VRF));
  const flags = route(VRF, 0x0A000000, 8, 1);
  flags.bytes[R.RT_FLAGS] = 0x40;
  const results = tables.tryApply([
    route(VRF, 0x0A000000, 8, 1), route(9999, 0x0A000000, 8, 1), route(0xFFFFFFFF, 0, 0, 1), route(VRF, 0x0A000000, 33, 1), route(VRF, 0x0A000001, 24, 1),
    route(VRF, 0x0B000000, 8, 39999), route(VRF, 0x0B000000, 8, 0xFFFFFFFF), route(VRF, 0x0C000000, 8, 0), flags, route(VRF, 0x0D000000, 8, 2),
    route(9999, 0x0A000000, 8, 0),
  ]);
  assert.equal(results, [
    R.RESULT_OK, R.RESULT_NO_VRF, R.RESULT_NO_VRF, R.RESULT_MALFORMED, R.RESULT_HOST_BITS, R.RESULT_NO_NEXTHOP, R.RESULT_NO_NEXTHOP, R.RESULT_NOT_FOUND,
    R.RESULT_MALFORMED, R.RESULT_OK, R.RESULT_NOT_FOUND,
  ]);
  assert.equal(tables.lookup(VRF, 0x0D010203), [2, 8]);
  assert.is(tables.lookup(VRF, 0x0B000000), undefined);
  tables.apply(vrf(VRF, R.VR_DELETE));
});

test('routes to be announced are listed when they become live', () => {
  tables.apply(vrf(VRF));
  const announced = (): string[] => Array.from({ length: tables.u32(L.ANNOUNCED) }, (_, i) => {
    const at = L.ANNOUNCED + 4 + 8 * i;
    return `${tables.view.getUint32(at).toString(16)} in ${tables.u32(at + 4)}`;
  });
  const fip = (nexthop: number, flags: number): PackedRecord => route(VRF, 0x65656503, 32, nexthop, flags);
  tables.apply(route(VRF, 0x65656500, 24, 1), fip(1, R.RTF_ANNOUNCE));
  assert.equal(announced(), ['65656503 in 7']);
  tables.apply(fip(1, R.RTF_ANNOUNCE)); // nothing new
  assert.equal(announced(), []);
  tables.apply(fip(2, R.RTF_ANNOUNCE)); // moved behind the gateway: the plain side sees no difference
  assert.equal(announced(), []);
  tables.apply(fip(2, 0), fip(2, R.RTF_ANNOUNCE));
  assert.equal(announced(), ['65656503 in 7']);
  tables.apply(fip(0, 0));
  assert.equal(announced(), []);
  tables.apply(vrf(VRF, R.VR_DELETE));
});

test('no next hop counts a reference any more, and no byte of the heap is in use', () => {
  tables.reclaim();
  const ids = Array.from({ length: NEXTHOPS }, (_, i) => 1 + i);
  assert.equal(ids.map((id) => tables.u32(L.NEXTHOP_REFS + 4 * id)), ids.map(() => 0));
  assert.is(tables.exports.total(R.RECORD_ROUTE), 0);
  assert.is(tables.exports.collect(), 0);
  assert.is(tables.heapBytes(), 0);
});

test.run();
