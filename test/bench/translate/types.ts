/** Scalar types of AssemblyScript (wasm32) as the translator sees them, with AssemblyScript's own rules for mixing them. */

export type Type = 'bool' | 'i8' | 'u8' | 'i16' | 'u16' | 'i32' | 'u32' | 'i64' | 'u64' | 'isize' | 'usize' | 'v128' | 'void';

const BITS: Record<Type, number> = {
  bool: 1, i8: 8, u8: 8, i16: 16, u16: 16, i32: 32, u32: 32, i64: 64, u64: 64, isize: 32, usize: 32, v128: 128, void: 0,
};
const SIGNED = new Set<Type>(['i8', 'i16', 'i32', 'i64', 'isize']);

export function isType(name: string): name is Type {
  return Object.hasOwn(BITS, name);
}

export function bitsOf(type: Type): number {
  return BITS[type];
}

export function isSigned(type: Type): boolean {
  return SIGNED.has(type);
}

export function isInteger(type: Type): boolean {
  return type !== 'v128' && type !== 'void';
}

function fitsInto(from: Type, to: Type, signednessMatters: boolean): boolean {
  if (!isInteger(from) || !isInteger(to)) return from === to;
  if (signednessMatters && from !== 'bool' && isSigned(from) !== isSigned(to)) return false;
  return BITS[from] <= BITS[to];
}

/** Type that both operands of a binary operator are converted to, or undefined when AssemblyScript refuses the pair. */
export function commonType(left: Type, right: Type, signednessMatters: boolean): Type | undefined {
  if (fitsInto(right, left, signednessMatters)) return left;
  if (fitsInto(left, right, signednessMatters)) return right;
  return undefined;
}

/** Type of an integer literal where `context` is expected. */
export function literalType(value: bigint, context: Type | undefined): Type {
  if (context !== undefined && isInteger(context)) {
    if (context === 'i64' || context === 'u64') return context;
    const bits = BigInt(BITS[context]);
    const [low, high] = isSigned(context) ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n];
    if (value >= low && value <= high) return context;
  }
  if (value >= -0x80000000n && value <= 0x7fffffffn) return 'i32';
  if (value >= 0n && value <= 0xffffffffn) return 'u32';
  return 'i64';
}
