/** AssemblyScript's builtins in C. An entry says what its arguments are and how the call is written. */
import type ts from 'typescript';
import { refuse } from './refuse.ts';
import { bitsOf, isInteger, isSigned } from './types.ts';
import type { Type } from './types.ts';

export interface Value {
  readonly c: string;
  readonly type: Type;
}

/** What an intrinsic needs of the translator that calls it. */
export interface Arguments {
  readonly node: ts.CallExpression;
  /** `<T>` of the call, if it has one. */
  readonly typeArgument: Type | undefined;
  readonly count: number;
  /** Type that the surroundings expect. */
  readonly context: Type | undefined;
  /** Argument `index`, converted to `type`. */
  as(index: number, type: Type): string;
  /** Argument `index` with the type that it has by itself. */
  own(index: number, context: Type | undefined): Value;
  /** Argument `index` as a truth value. */
  truth(index: number): string;
}

type Intrinsic = (a: Arguments) => Value;

/** Memory holds a usize in four bytes, whatever usize is in C. */
export function memoryType(type: Type): Type {
  if (type === 'usize') return 'u32';
  if (type === 'isize') return 'i32';
  return type;
}

function needType(a: Arguments): Type {
  return a.typeArgument ?? refuse(a.node, 'needs a type argument');
}

function offset(a: Arguments, index: number): string {
  return a.count > index ? a.as(index, 'usize') : '0';
}

function load(a: Arguments): Value {
  const type = needType(a);
  const wider = a.context !== undefined && isInteger(type) && isInteger(a.context) && bitsOf(a.context) > bitsOf(type);
  const c = `LOAD(${memoryType(type)}, ${a.as(0, 'usize')}, ${offset(a, 1)})`;
  if (wider && a.context) return { c: `(${a.context})${c}`, type: a.context };
  return { c: memoryType(type) === type ? c : `(${type})${c}`, type };
}

function store(a: Arguments): Value {
  const type = needType(a);
  const { c } = a.own(1, type);
  return { c: `STORE(${memoryType(type)}, ${a.as(0, 'usize')}, ${c}, ${offset(a, 2)})`, type: 'void' };
}

function atomic(operation: string): Intrinsic {
  return (a) => {
    const type = needType(a);
    const at = a.as(0, 'usize');
    const memory = memoryType(type);
    if (operation === 'LOAD') return { c: `(${type})ATOMIC_LOAD(${memory}, ${at}, ${offset(a, 1)})`, type };
    if (operation === 'STORE') return { c: `ATOMIC_STORE(${memory}, ${at}, ${a.as(1, type)}, ${offset(a, 2)})`, type: 'void' };
    if (operation === 'CMPXCHG') {
      return { c: `(${type})ATOMIC_CMPXCHG(${memory}, ${at}, ${a.as(1, type)}, ${a.as(2, type)}, ${offset(a, 3)})`, type };
    }
    return { c: `(${type})ATOMIC_${operation}(${memory}, ${at}, ${a.as(1, type)}, ${offset(a, 2)})`, type };
  };
}

/** A function of one 32- or 64-bit word (and, with `second`, a count) whose result has the word's type. */
function word(name: string, second = false): Intrinsic {
  return (a) => {
    const type = a.typeArgument ?? a.own(0, 'i32').type;
    const bits = bitsOf(type);
    if (bits !== 32 && bits !== 64) refuse(a.node, `${name} of ${type}`);
    return { c: `(${type})${name}${bits}(${a.as(0, type)}${second ? `, ${a.as(1, type)}` : ''})`, type };
  };
}

function bswap(a: Arguments): Value {
  const type = a.typeArgument ?? a.own(0, undefined).type;
  const bits = bitsOf(type);
  if (bits < 16) refuse(a.node, `bswap of ${type}`);
  return { c: `(${type})__builtin_bswap${bits}(${a.as(0, type)})`, type };
}

function choice(name: 'MIN' | 'MAX'): Intrinsic {
  return (a) => {
    const type = a.typeArgument ?? a.own(0, undefined).type;
    return { c: `${name}(${type}, ${a.as(0, type)}, ${a.as(1, type)})`, type };
  };
}

function select(a: Arguments): Value {
  const type = a.typeArgument ?? a.own(0, undefined).type;
  return { c: `SELECT(${type}, ${a.as(0, type)}, ${a.as(1, type)}, ${a.truth(2)})`, type };
}

const LANES: Record<string, { type: Type; unsigned: Type; count: number }> = {
  i8x16: { type: 'i8', unsigned: 'u8', count: 16 },
  i16x8: { type: 'i16', unsigned: 'u16', count: 8 },
  i32x4: { type: 'i32', unsigned: 'u32', count: 4 },
  i64x2: { type: 'i64', unsigned: 'u64', count: 2 },
};

const ARITHMETIC: Record<string, string> = { add: '+', sub: '-', mul: '*' };
const COMPARE: Record<string, string> = { eq: '==', ne: '!=', lt: '<', gt: '>', le: '<=', ge: '>=' };

function vector(shape: string, operation: string): Intrinsic | undefined {
  const lane = LANES[shape];
  if (!lane) return undefined;
  const { type, unsigned, count } = lane;
  const value = (c: string): Value => ({ c: `((v128)(${c}))`, type: 'v128' });
  const lanesOf = (a: Arguments, from: number): string[] => Array.from({ length: count }, (_, i) => a.as(from + i, type));
  const shuffle = (a: Arguments): Value =>
    value(`__builtin_shuffle((v_${unsigned})${a.as(0, 'v128')}, (v_${unsigned})${a.as(1, 'v128')}, (v_${unsigned}){${lanesOf(a, 2).join(', ')}})`);
  const [name = '', sign] = operation.split('_');

  if (operation === '') return (a) => value(`(v_${type}){${lanesOf(a, 0).join(', ')}}`);
  if (operation === 'splat') return (a) => value(`(v_${type}){${Array(count).fill(a.as(0, type)).join(', ')}}`);
  if (ARITHMETIC[operation]) return (a) => value(`(v_${unsigned})${a.as(0, 'v128')} ${ARITHMETIC[operation]} (v_${unsigned})${a.as(1, 'v128')}`);
  if (COMPARE[name] && (name === 'eq' || name === 'ne' || sign === 's' || sign === 'u')) {
    const of = sign === 'u' ? unsigned : type;
    return (a) => value(`(v_${of})${a.as(0, 'v128')} ${COMPARE[name]} (v_${of})${a.as(1, 'v128')}`);
  }
  if (operation === 'shl') return (a) => value(`(v_${unsigned})${a.as(0, 'v128')} << (${unsigned})(${a.as(1, 'i32')} & ${bitsOf(type) - 1})`);
  if (operation === 'shr_u') return (a) => value(`(v_${unsigned})${a.as(0, 'v128')} >> (${unsigned})(${a.as(1, 'i32')} & ${bitsOf(type) - 1})`);
  if (operation === 'shr_s') return (a) => value(`(v_${type})${a.as(0, 'v128')} >> (${type})(${a.as(1, 'i32')} & ${bitsOf(type) - 1})`);
  if (operation === 'bitmask') return (a) => ({ c: `(i32)bitmask_${unsigned}(${a.as(0, 'v128')})`, type: 'i32' });
  if (name === 'extract') {
    const of = sign === 'lane' && operation.endsWith('_u') ? unsigned : type;
    const returns: Type = bitsOf(type) === 64 ? 'i64' : 'i32';
    return (a) => ({ c: `((${returns})((v_${of})${a.as(0, 'v128')})[${a.as(1, 'u8')}])`, type: returns });
  }
  if (operation === 'shuffle') return shuffle;
  if (operation === 'swizzle' && shape === 'i8x16') return (a) => ({ c: `swizzle(${a.as(0, 'v128')}, ${a.as(1, 'v128')})`, type: 'v128' });
  return undefined;
}

/** `v128.op<T>`: the lane shape is named by T. */
function genericVector(operation: string): Intrinsic {
  return (a) => {
    const type = needType(a);
    const shape = Object.entries(LANES).find(([, lane]) => bitsOf(lane.type) === bitsOf(type))?.[0] ?? '';
    const signed = COMPARE[operation] && operation !== 'eq' && operation !== 'ne' ? `_${isSigned(type) ? 's' : 'u'}` : '';
    if (operation === 'extract_lane') {
      const at = `((v_${memoryType(type)})${a.as(0, 'v128')})[${a.as(1, 'u8')}]`;
      return { c: `((${type})${at})`, type };
    }
    const translated = vector(shape, operation === 'shr' ? `shr_${isSigned(type) ? 's' : 'u'}` : operation + signed);
    if (!translated) refuse(a.node, 'unknown vector operation');
    return translated(a);
  };
}

const V128: Record<string, Intrinsic> = {
  load: (a) => ({ c: `LOAD(v128, ${a.as(0, 'usize')}, ${offset(a, 1)})`, type: 'v128' }),
  store: (a) => ({ c: `STORE(v128, ${a.as(0, 'usize')}, ${a.as(1, 'v128')}, ${offset(a, 2)})`, type: 'void' }),
  load32_zero: (a) => ({ c: `((v128)(v_u32){LOAD(u32, ${a.as(0, 'usize')}, ${offset(a, 1)}), 0, 0, 0})`, type: 'v128' }),
  load64_zero: (a) => ({ c: `((v128){LOAD(u64, ${a.as(0, 'usize')}, ${offset(a, 1)}), 0})`, type: 'v128' }),
  and: (a) => ({ c: `(${a.as(0, 'v128')} & ${a.as(1, 'v128')})`, type: 'v128' }),
  or: (a) => ({ c: `(${a.as(0, 'v128')} | ${a.as(1, 'v128')})`, type: 'v128' }),
  xor: (a) => ({ c: `(${a.as(0, 'v128')} ^ ${a.as(1, 'v128')})`, type: 'v128' }),
  not: (a) => ({ c: `(~${a.as(0, 'v128')})`, type: 'v128' }),
  andnot: (a) => ({ c: `(${a.as(0, 'v128')} & ~${a.as(1, 'v128')})`, type: 'v128' }),
  bitselect: (a) => {
    const mask = a.as(2, 'v128');
    return { c: `((${a.as(0, 'v128')} & ${mask}) | (${a.as(1, 'v128')} & ~${mask}))`, type: 'v128' };
  },
  any_true: (a) => ({ c: `any_true(${a.as(0, 'v128')})`, type: 'bool' }),
};

const PLAIN: Record<string, Intrinsic> = {
  load, store, bswap, select,
  'atomic.load': atomic('LOAD'), 'atomic.store': atomic('STORE'), 'atomic.add': atomic('ADD'), 'atomic.sub': atomic('SUB'),
  'atomic.and': atomic('AND'), 'atomic.or': atomic('OR'), 'atomic.xor': atomic('XOR'), 'atomic.xchg': atomic('XCHG'),
  'atomic.cmpxchg': atomic('CMPXCHG'),
  'atomic.fence': () => ({ c: 'ATOMIC_FENCE()', type: 'void' }),
  'memory.copy': (a) => ({ c: `COPY(${a.as(0, 'usize')}, ${a.as(1, 'usize')}, ${a.as(2, 'usize')})`, type: 'void' }),
  'memory.fill': (a) => ({ c: `FILL(${a.as(0, 'usize')}, ${a.as(1, 'u8')}, ${a.as(2, 'usize')})`, type: 'void' }),
  rotl: word('rotl', true), rotr: word('rotr', true), clz: word('clz'), ctz: word('ctz'), popcnt: word('popcnt'),
  min: choice('MIN'), max: choice('MAX'),
  changetype: (a) => ({ c: `((${needType(a)})${a.own(0, a.typeArgument).c})`, type: needType(a) }),
  sizeof: (a) => ({ c: `((usize)${bitsOf(needType(a)) / 8})`, type: 'usize' }),
  unreachable: () => ({ c: '__builtin_trap()', type: 'void' }),
};

/** The builtin of that name ("load", "atomic.add", "i32x4.splat"), if it is known. */
export function intrinsic(name: string): Intrinsic | undefined {
  if (Object.hasOwn(PLAIN, name)) return PLAIN[name];
  const [head = '', operation = ''] = name.split('.');
  if (head === 'v128') return Object.hasOwn(V128, operation) ? V128[operation] : genericVector(operation);
  return vector(head, operation);
}
