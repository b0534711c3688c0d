/** The translator is right when asc's WebAssembly and gcc's machine code of one source give the same results. */
// needs: gcc
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import koffi from 'koffi';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Refused, translate } from '../../bench/translate/translate.ts';

const folder = mkdtempSync(join(tmpdir(), 'wrouter-translate-'));
const ARENA = 65536;

/** Every function takes two u64 and gives a u64; memory is 64 KiB from address 0, what is read was written by the function before. */
const SOURCE = `
import { BASE, twice, MASKED, fold as folded } from './other';

export function wrap(a: u64, b: u64): u64 {
  const x: u32 = a as u32;
  const y: u32 = b as u32;
  return ((x + y) as u64) ^ ((x - y) as u64) << 7 ^ ((x * y) as u64) << 13;
}
export function signs(a: u64, b: u64): u64 {
  const x: i32 = a as i32;
  const y: i32 = ((b as i32) & 0xFFFFF) | 1;
  const below: i32 = -y - 1;
  const z: i64 = (x as i64) * 3 - (y as i64);
  return (z as u64) ^ ((x / y) as u64) ^ ((x % below) as u64) << 3 ^ ((x > below) as u64) ^ ((x / below) as u64) << 9;
}
export function compares(a: u64, b: u64): u64 {
  const x: u32 = a as u32;
  const y: u32 = b as u32;
  let r: u32 = 0;
  if (x < y) r |= 1;
  if (x <= 0x80000000 && y > 5) r |= 2;
  if ((x as i32) < (y as i32) || x == y) r |= 4;
  if (!(x & 1)) r |= 8;
  if (a >= b) r |= 16;
  if (x != y) r += 32; else r += 64;
  return r as u64;
}
export function shifts(a: u64, b: u64): u64 {
  const x: u32 = a as u32;
  const n: u32 = b as u32;
  const s: i32 = a as i32;
  let r: u64 = (x << n) as u64;
  r ^= ((x >> n) as u64) << 1;
  r ^= ((s >> (n as i32)) as u64) << 2;
  r ^= ((s >>> (n as i32)) as u64) << 3;
  r ^= (a << b) ^ (a >> b) ^ (a >>> (b + 3));
  r ^= ((x << 31) >> 3) as u64;
  r ^= ~a;
  return r;
}
export function narrow(a: u64, b: u64): u64 {
  const x: u8 = a as u8;
  const y: u16 = b as u16;
  const z: i16 = a as i16;
  const w: i8 = b as i8;
  return (((x + x) as u64) << 1) ^ (((y * y) as u64) << 2) ^ ((z as u64) << 3) ^ ((w as i64) as u64) ^ ((x << 3) as u64) ^ ((-z) as u64);
}
export function wide(a: u64, b: u64): u64 {
  let h: u64 = (a << 32 | b) ^ 0x0123456789ABCDEF;
  h *= 0x9E3779B97F4A7C15;
  h ^= (a >> 7) << 32 | (b & 0xFFFFFFFF);
  h *= 0xC2B2AE3D27D4EB4F;
  return (h >>> 32) % 1000003 + a / (b | 1);
}
export function literals(a: u64, b: u64): u64 {
  const x: i32 = -5;
  const y: u32 = 0xFFFFFFFF;
  const z: i64 = -0x80000000;
  const big: u64 = 0xFEDCBA9876543210;
  const q: usize = 4096;
  return big + (z as u64) + (y as u64) + (x as u64) + (q as u64) + 1_000 + (u32.MAX_VALUE as u64) - (i32.MIN_VALUE as u64) + (sizeof<u16>() as u64) + (a & 3) + (b & 0b101);
}
export function bits(a: u64, b: u64): u64 {
  const x: u32 = a as u32;
  const n: u32 = b as u32;
  let r: u64 = (rotl<u32>(x, n) as u64) ^ ((rotr<u32>(x, n) as u64) << 8) ^ rotl<u64>(a, b) ^ rotr<u64>(a, b);
  r += (clz<u32>(x & 0xFF) as u64) + (ctz<u32>(x) as u64) * 3 + (popcnt<u32>(x) as u64) * 5 + clz<u64>(a >> 40) * 7 + ctz<u64>(b) + popcnt<u64>(a ^ b) * 11;
  r ^= (bswap<u32>(x) as u64) ^ bswap<u64>(b) ^ ((bswap<u16>(n as u16) as u64) << 3);
  r += (min<u32>(x, n) as u64) ^ (max<i32>(x as i32, n as i32) as u64) ^ select<u64>(a, b, x > n);
  return r;
}
export function memoryWords(a: u64, b: u64): u64 {
  const at: usize = ((a as usize) & 0x3FF8) + 1024;
  memory.fill(at, 0xA5, 32);
  store<u64>(at, a);
  store<u32>(at + 3, b as u32, 8);
  store<u16>(at, (a as u32) * 3, 6);
  store<u8>(at, 0x1234, 1);
  store<i32>(at, -7, 16);
  const narrowSum: u32 = load<u8>(at, 1) * 1000;
  const signed: i32 = load<i8>(at, 7);
  const half: u64 = load<u16>(at, 2);
  return load<u64>(at) ^ load<u64>(at + 5, 3) ^ (narrowSum as u64) ^ (signed as u64) ^ half << 9 ^ (load<u8>(at) == 0x34 ? 5 : 9);
}
export function memoryBlocks(a: u64, b: u64): u64 {
  const at: usize = 2048 + ((a as usize) & 511);
  memory.fill(at, b as u8, 64);
  store<u64>(at, b, 5);
  memory.copy(at + 3, at, 40);
  let sum: u64 = 0;
  for (let i: u32 = 0; i < 64; i += 4) sum = rotl<u64>(sum, 5) + load<u32>(at + i);
  return sum;
}
export function atomics(a: u64, b: u64): u64 {
  const at: usize = 4096 + (((a as usize) & 63) << 3);
  atomic.store<u64>(at, a);
  let r: u64 = atomic.add<u64>(at, b);
  r ^= atomic.cmpxchg<u64>(at, a + b, b) * 3;
  r += atomic.load<u32>(at, 4) as u64;
  r ^= atomic.sub<u32>(at, 77, 4) as u64;
  r ^= (atomic.or<u32>(at, 0x10) ^ atomic.xor<u32>(at, 0x30) ^ atomic.and<u32>(at, 0xFF0F)) as u64;
  r += atomic.xchg<u32>(at, b as u32) as u64;
  return r ^ atomic.load<u64>(at);
}
export function vectors(a: u64, b: u64): u64 {
  const at: usize = 8192 + ((a as usize) & 255);
  memory.fill(at, 0x5A, 64);
  store<u64>(at, a);
  store<u64>(at, b, 8);
  const x: v128 = v128.load(at);
  const y: v128 = i32x4.splat(b as i32);
  const z: v128 = v128.xor(i64x2.add(x, y), i16x8.mul(x, i16x8.splat(a as i16)));
  v128.store(at, z, 16);
  const order: v128 = i8x16.shuffle(x, z, 3, 2, 1, 0, 7, 6, 5, 4, 27, 26, 25, 24, 31, 30, 29, 28);
  const same: v128 = i32x4.eq(x, y);
  let r: u64 = i32x4.bitmask(same) as u64;
  r += i8x16.bitmask(z) as u64;
  r ^= i64x2.extract_lane(order, 1) as u64;
  r ^= (v128.any_true(same) as u64) << 5;
  r ^= i64x2.extract_lane(i8x16.swizzle(x, z), 0) as u64;
  r ^= i64x2.extract_lane(v128.bitselect(x, y, z), 1) as u64;
  r += i32x4.extract_lane(i32x4.shr_u(x, 5), 2) as u64;
  r ^= i32x4.extract_lane(i32x4.gt_u(x, z), 0) as u64;
  r += i64x2.extract_lane(i8x16(1, 2, 3, -4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16), 0) as u64;
  return r ^ load<u64>(at, 20);
}
export function control(a: u64, b: u64): u64 {
  let x: u32 = (a as u32) % 1000;
  let steps: u32 = 0;
  while (x != 1) {
    if (steps > 50) break;
    steps++;
    if (x & 1) { x = x * 3 + 1; continue; }
    x >>= 1;
  }
  do { steps += 2; } while (steps < 10);
  for (let i: i32 = 3, wide: u64 = b; i >= 0; --i, wide >>= 3) {
    if (!(wide & 1)) continue;
    steps += (i as u32) << 8;
  }
  switch (steps & 7) {
    case 0:
    case 1: steps += 100; break;
    case 2: steps += 1000;
    case 3: { const more: u32 = 7; steps += more; break; }
    default: steps ^= 0x5000;
  }
  return (steps as u64) + (x as u64) * 3;
}
export function calls(a: u64, b: u64): u64 {
  const register: u32 = twice(a as u32);
  const address: usize = BASE + ((b as usize) & 0xFF) * 4;
  store<u32>(address, register);
  const mixed: u32 = register > 5 ? folded(a) : load<u8>(address);
  return (mixed as u64) ^ ((load<u32>(BASE + ((b as usize) & 0xFF) * 4) + MASKED) as u64) << 4;
}
`;
const OTHER = `
const SHIFT: u32 = 3;
export const BASE: usize = 0x3000;
export const MASKED: u32 = (1 << SHIFT) - 1;
@inline
export function twice(x: u32): u32 { return x + x; }
export function fold(x: u64): u32 {
  const s: u64 = (x & 0xFFFF) + (x >> 16 & 0xFFFF) + (x >> 32);
  return ((s & 0xFFFF) + (s >> 16)) as u32;
}
`;

type Run = (a: bigint, b: bigint) => bigint;

function compileWithAsc(entry: string): Map<string, Run> {
  const out = join(folder, 'snippets.wasm');
  execFileSync(process.execPath, [
    fileURLToPath(import.meta.resolve('assemblyscript/asc')).replace('dist', 'bin'), basename(entry), '--outFile', out, '-O3', '--runtime', 'stub', '--importMemory', '--sharedMemory',
    '--initialMemory', '1', '--maximumMemory', '1', '--noExportMemory', '--enable', 'threads', '--enable', 'simd', '--enable', 'bulk-memory',
  ], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(out)), { env: { memory } });
  return new Map(Object.entries(exports).map(([name, run]) => [name, (a, b) => BigInt.asUintN(64, (run as Run)(a, b))]));
}

function compileWithGcc(entry: string, flags: string[]): Map<string, Run> {
  const { c, exports } = translate(entry);
  const name = `snippets${flags.join('')}`;
  writeFileSync(join(folder, `${name}.c`), `extern unsigned char *arena;\n#define ARENA ((__UINT64_TYPE__)arena)\n${c}\n__attribute__((aligned(16))) static unsigned char bytes[${ARENA}];\nunsigned char *arena = bytes;\n`);
  execFileSync('gcc', ['-O3', '-march=native', '-fwrapv', '-fno-strict-aliasing', '-fPIC', '-shared', ...flags, '-o', join(folder, `${name}.so`), join(folder, `${name}.c`)]);
  const library = koffi.load(join(folder, `${name}.so`));
  return new Map(exports.map((symbol): [string, Run] => {
    const call = library.func(`uint64_t ${symbol.c}(uint64_t a, uint64_t b)`);
    return [symbol.name, (a, b) => BigInt(call(a, b) as number | bigint)];
  }));
}

/** Random words with the values between which arithmetic goes wrong. */
const word = fc.oneof(
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
  fc.constantFrom(0n, 1n, 31n, 32n, 63n, 64n, 0x7fn, 0xffn, 0x8000n, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn, 0x100000000n, (1n << 63n), (1n << 64n) - 1n),
  fc.bigInt({ min: 0n, max: 1000n }),
);

const translation = suite('translation');

translation.before(() => {
  writeFileSync(join(folder, 'snippets.ts'), SOURCE);
  writeFileSync(join(folder, 'other.ts'), OTHER);
});
translation.after(() => rmSync(folder, { recursive: true }));

translation('gives what asc gives, for every snippet, with usize of 32 and of 64 bits', () => {
  const entry = join(folder, 'snippets.ts');
  const wasm = compileWithAsc(entry);
  const twins = [compileWithGcc(entry, []), compileWithGcc(entry, ['-DNATIVE_USIZE'])];
  assert.is(wasm.size, SOURCE.match(/^export function/gm)?.length);
  for (const [name, expected] of wasm) {
    for (const twin of twins) {
      const actual = twin.get(name);
      assert.ok(actual, `${name} is missing in C`);
      for (const [a, b] of fc.sample(fc.tuple(word, word), 500)) {
        assert.is(actual(a, b).toString(16), expected(a, b).toString(16), `${name}(0x${a.toString(16)}, 0x${b.toString(16)})`);
      }
    }
  }
});

const REFUSED: [source: string, line: number, what: string][] = [
  ['export function f(a: u32): u32 {\n  const b = a;\n  return b;\n}', 2, 'needs an explicit type'],
  ['let counter: u32 = 0;\nexport function f(): u32 { return 1; }', 1, 'a global that varies'],
  ['export function f(a: u32): u32 {\n  return missing(a);\n}', 2, 'unknown function'],
  ['export function f(a: u32, b: i32): bool { return a < b; }', 1, '< of u32 and i32'],
  ['export function f(a: u32): u32 {\n  const x: f64 = 1.5;\n  return a;\n}', 2, 'unknown type'],
  ['class Thing {}\nexport function f(a: u32): u32 { return a; }', 1, 'unknown at the top level'],
  ['export function f<T>(a: u32): u32 { return a; }', 1, 'generic function'],
  ['export function f(a: u32): u32 { return a && 3; }', 1, '&& as a number'],
];

translation('refuses with file and line what it does not know', () => {
  mkdirSync(join(folder, 'refused'), { recursive: true });
  REFUSED.forEach(([source, line, what], index) => {
    const path = join(folder, 'refused', `${index}.ts`);
    writeFileSync(path, source);
    assert.throws(() => translate(path), (error: unknown) => error instanceof Refused && error.message.startsWith(`${path}:${line}: ${what}`), source);
  });
});

translation.run();
