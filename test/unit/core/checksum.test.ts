/** The core's checksum code, compiled alone, against sums computed the long way (RFC 1071, RFC 1624). */
import asc from 'assemblyscript/asc';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { follow, onesSum, write16, write32 } from '../../reference/wire.ts';

interface Checksums {
  fold(sum: bigint): number;
  fold16(sum: number): number;
  sum20(at: number): number;
  sum(at: number, length: number): number;
  update(checksum: number, delta: number): number;
  addressDelta(old: number, changed: number): number;
  wordDelta(old: number, changed: number): number;
  updateL4(checksum: number, protocol: number, delta: number): number;
}

const DATA = 65536;
const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
const bytes = new Uint8Array(memory.buffer);
const core = await compile();

async function compile(): Promise<Checksums> {
  const root = new URL('../../../', import.meta.url);
  let binary: Uint8Array | undefined;
  const entries = ['wasm-core/packet/checksum.ts', 'wasm-core/packet/checksum-l4.ts'];
  const flags = ['--outFile', 'out.wasm', '-O3', '--runtime', 'stub', '--importMemory', '--sharedMemory', '--initialMemory', '4', '--maximumMemory', '4'];
  const { error, stderr } = await asc.main([...entries, ...flags, '--noExportMemory', '--enable', 'threads,simd,bulk-memory'], {
    readFile: (name: string) => {
      if (name.endsWith('asconfig.json')) return null; // the whole core's settings
      try {
        return readFileSync(new URL(name, root), 'utf8');
      } catch {
        return null;
      }
    },
    writeFile: (_name: string, content: Uint8Array | string) => {
      if (typeof content !== 'string') binary = content;
    },
    listFiles: () => [],
  });
  if (error !== null || binary === undefined) throw new Error(`asc could not compile ${entries.join(', ')}: ${stderr.toString()}`);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(binary)), { env: { memory, abort: () => {} } });
  return instance.exports as unknown as Checksums;
}

/** The core sums little-endian words; the sum of the same bytes in network order is the byte-swapped one (RFC 1071 section 2 B). */
const swap = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);
const word = (value: number): Uint8Array => {
  const out = new Uint8Array(2);
  write16(out, 0, value);
  return out;
};
const littleEndian = (address: number): number => {
  const out = new Uint8Array(4);
  write32(out, 0, address);
  return new DataView(out.buffer).getUint32(0, true);
};
const anyWord = fc.oneof(fc.constantFrom(0, 1, 0x00ff, 0xff00, 0xfffe, 0xffff), fc.integer({ min: 0, max: 0xffff }));
const anyAddress = fc.oneof(fc.constantFrom(0x0a000001, 0x0000ffff, 0xffff0000, 0xfffefffe), fc.nat(0xffffffff));
const check = <T>(property: fc.IProperty<T>): void => fc.assert(property, { numRuns: 5000 });

test('sum of any length at any alignment', () => {
  check(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(15), (data, shift) => {
      bytes.fill(0xee, DATA, DATA + 400); // what follows the data must not count
      bytes.set(data, DATA + shift);
      assert.is(swap(core.sum(DATA + shift, data.length)), onesSum(data));
    }),
  );
});

test('sum of a whole packet of ones does not overflow', () => {
  const data = new Uint8Array(65535).fill(0xff);
  bytes.set(data, DATA);
  assert.is(swap(core.sum(DATA, data.length)), onesSum(data));
});

test('sum20 is the sum of a header', () => {
  check(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (header) => {
      bytes.set(header, DATA);
      assert.is(swap(core.sum20(DATA)), onesSum(header));
    }),
  );
});

test('a checksum follows a word as if computed afresh', () => {
  check(
    fc.property(anyWord, anyWord, anyWord, (checksum, old, changed) => {
      fc.pre(old !== 0xffff || changed !== 0 || checksum !== 0xffff); // the one update that changes nothing at all
      const updated = swap(core.update(swap(checksum), core.wordDelta(swap(old), swap(changed))));
      assert.is(updated, follow(checksum, onesSum(word(old)), onesSum(word(changed))));
      assert.is.not(updated, 0xffff);
    }),
  );
});

test('a checksum follows an address, and back again', () => {
  check(
    fc.property(anyWord, anyAddress, anyAddress, (checksum, old, changed) => {
      const there = core.update(swap(checksum), core.addressDelta(littleEndian(old), littleEndian(changed)));
      const back = core.update(there, core.addressDelta(littleEndian(changed), littleEndian(old)));
      assert.is(back % 0xffff, swap(checksum) % 0xffff);
    }),
  );
});

for (const [name, protocol, checksumAt] of [['TCP', 6, 16], ['UDP', 17, 6], ['UDP-Lite', 136, 6]] as const) {
  test(`${name}: the checksum follows the pseudo header as if computed afresh`, () => {
    check(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 60 }), anyAddress, anyAddress, anyAddress, (segment, source, old, changed) => {
        const pseudo = (address: number): Uint8Array => {
          const header = new Uint8Array(12 + segment.length);
          write32(header, 0, source);
          write32(header, 4, address);
          header[9] = protocol;
          write16(header, 10, segment.length);
          header.set(segment, 12);
          write16(header, 12 + checksumAt, 0);
          return header;
        };
        const fresh = (address: number): number => {
          const value = ~onesSum(pseudo(address)) & 0xffff;
          return value === 0 && protocol !== 6 ? 0xffff : value;
        };
        const updated = core.updateL4(swap(fresh(old)), protocol, core.addressDelta(littleEndian(old), littleEndian(changed)));
        assert.is(swap(updated), fresh(changed));
      }),
    );
  });
}

test('UDP without a checksum stays without, and none becomes zero', () => {
  check(
    fc.property(anyWord, anyAddress, anyAddress, (checksum, old, changed) => {
      const delta = core.addressDelta(littleEndian(old), littleEndian(changed));
      assert.is(core.updateL4(0, 17, delta), 0);
      if (checksum !== 0) assert.is.not(core.updateL4(checksum, 17, delta), 0);
    }),
  );
});

test('folding loses nothing', () => {
  check(
    fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (sum) => {
      const folded = BigInt(core.fold(BigInt.asIntN(64, sum)));
      assert.is(folded % 0xffffn, sum % 0xffffn);
      assert.is(folded === 0n, sum === 0n);
    }),
  );
  check(
    fc.property(fc.nat(0xffffffff), (sum) => {
      assert.is(core.fold16(sum) % 0xffff, sum % 0xffff);
    }),
  );
});

test.run();
