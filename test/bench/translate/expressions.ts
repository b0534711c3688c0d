/** Expressions: AssemblyScript's typing (literals take the type that is expected, operands a common one) written out in C. */
import ts from 'typescript';
import { intrinsic } from './intrinsics.ts';
import type { Value } from './intrinsics.ts';
import { lookUp, typeOf } from './modules.ts';
import type { FunctionSymbol, GlobalSymbol, Module } from './modules.ts';
import { refuse } from './refuse.ts';
import { bitsOf, commonType, isInteger, isSigned, isType, literalType } from './types.ts';
import type { Type } from './types.ts';

/** Where an expression stands: its module, the locals that it sees, and who wants to know what it uses. */
export interface Surroundings {
  readonly module: Module;
  local(name: string): { c: string; type: Type } | undefined;
  uses(symbol: GlobalSymbol): void;
}

const { SyntaxKind } = ts;

const ARITHMETIC = new Map<ts.SyntaxKind, { c: string; signed: boolean }>([
  [SyntaxKind.PlusToken, { c: '+', signed: false }], [SyntaxKind.MinusToken, { c: '-', signed: false }],
  [SyntaxKind.AsteriskToken, { c: '*', signed: false }], [SyntaxKind.SlashToken, { c: '/', signed: true }],
  [SyntaxKind.PercentToken, { c: '%', signed: true }], [SyntaxKind.AmpersandToken, { c: '&', signed: false }],
  [SyntaxKind.BarToken, { c: '|', signed: false }], [SyntaxKind.CaretToken, { c: '^', signed: false }],
]);
const SHIFTS = new Map<ts.SyntaxKind, '<<' | '>>' | '>>>'>([
  [SyntaxKind.LessThanLessThanToken, '<<'], [SyntaxKind.GreaterThanGreaterThanToken, '>>'],
  [SyntaxKind.GreaterThanGreaterThanGreaterThanToken, '>>>'],
]);
const COMPARISONS = new Map<ts.SyntaxKind, { c: string; signed: boolean }>([
  [SyntaxKind.LessThanToken, { c: '<', signed: true }], [SyntaxKind.GreaterThanToken, { c: '>', signed: true }],
  [SyntaxKind.LessThanEqualsToken, { c: '<=', signed: true }], [SyntaxKind.GreaterThanEqualsToken, { c: '>=', signed: true }],
  [SyntaxKind.EqualsEqualsToken, { c: '==', signed: false }], [SyntaxKind.EqualsEqualsEqualsToken, { c: '==', signed: false }],
  [SyntaxKind.ExclamationEqualsToken, { c: '!=', signed: false }], [SyntaxKind.ExclamationEqualsEqualsToken, { c: '!=', signed: false }],
]);
const COMPOUND = new Map<ts.SyntaxKind, ts.SyntaxKind>([
  [SyntaxKind.PlusEqualsToken, SyntaxKind.PlusToken], [SyntaxKind.MinusEqualsToken, SyntaxKind.MinusToken],
  [SyntaxKind.AsteriskEqualsToken, SyntaxKind.AsteriskToken], [SyntaxKind.SlashEqualsToken, SyntaxKind.SlashToken],
  [SyntaxKind.PercentEqualsToken, SyntaxKind.PercentToken], [SyntaxKind.AmpersandEqualsToken, SyntaxKind.AmpersandToken],
  [SyntaxKind.BarEqualsToken, SyntaxKind.BarToken], [SyntaxKind.CaretEqualsToken, SyntaxKind.CaretToken],
  [SyntaxKind.LessThanLessThanEqualsToken, SyntaxKind.LessThanLessThanToken],
  [SyntaxKind.GreaterThanGreaterThanEqualsToken, SyntaxKind.GreaterThanGreaterThanToken],
  [SyntaxKind.GreaterThanGreaterThanGreaterThanEqualsToken, SyntaxKind.GreaterThanGreaterThanGreaterThanToken],
]);

/** `value` as `type` in C. A negative number becomes a usize of 32 bits first, as in wasm32. */
export function convert(value: Value, type: Type, node: ts.Node): string {
  if (value.type === type) return value.c;
  if (!isInteger(value.type) || !isInteger(type)) refuse(node, `${value.type} where ${type} is expected`);
  if (type === 'usize' && isSigned(value.type)) return `((usize)(u32)${value.c})`;
  return `((${type})${value.c})`;
}

/** `node` as a C expression of exactly `type`. */
export function expressionAs(node: ts.Expression, type: Type, at: Surroundings): string {
  return convert(expression(node, type, at), type, node);
}

/** `node` as a C condition. */
export function condition(node: ts.Expression, at: Surroundings): string {
  return expression(node, 'bool', at).c;
}

/** `node` as a C expression, and its AssemblyScript type. `context` is the type that the surroundings expect. */
export function expression(node: ts.Expression, context: Type | undefined, at: Surroundings): Value {
  if (ts.isParenthesizedExpression(node)) return expression(node.expression, context, at);
  if (ts.isNumericLiteral(node)) return literal(integerOf(node), context);
  if (node.kind === SyntaxKind.TrueKeyword) return { c: '1', type: 'bool' };
  if (node.kind === SyntaxKind.FalseKeyword) return { c: '0', type: 'bool' };
  if (ts.isIdentifier(node)) return name(node, at);
  if (ts.isAsExpression(node) || ts.isTypeAssertionExpression(node)) {
    const type = typeOf(node.type, node);
    const value = expression(node.expression, type, at);
    return { c: type === 'bool' && value.type !== 'bool' ? `(${value.c} != 0)` : convert(value, type, node), type };
  }
  if (ts.isPrefixUnaryExpression(node)) return prefix(node, context, at);
  if (ts.isPostfixUnaryExpression(node)) return step(node, node.operand, node.operator, false, at);
  if (ts.isBinaryExpression(node)) return binary(node, context, at);
  if (ts.isConditionalExpression(node)) {
    const yes = expression(node.whenTrue, context, at);
    const no = expression(node.whenFalse, context ?? yes.type, at);
    const type = commonType(yes.type, no.type, false) ?? refuse(node, `${yes.type} or ${no.type}`);
    return { c: `(${condition(node.condition, at)} ? ${convert(yes, type, node)} : ${convert(no, type, node)})`, type };
  }
  if (ts.isCallExpression(node)) return call(node, context, at);
  if (ts.isPropertyAccessExpression(node)) return limit(node);
  refuse(node, 'unknown expression');
}

function integerOf(node: ts.NumericLiteral): bigint {
  const text = node.getText().replaceAll('_', '');
  if (!/^(0x[0-9a-f]+|0b[01]+|0o[0-7]+|\d+)$/i.test(text)) refuse(node, 'only integers are known');
  return BigInt(text);
}

function literal(value: bigint, context: Type | undefined): Value {
  return constant(value, literalType(value, context));
}

function constant(value: bigint, type: Type): Value {
  if (type === 'i64' && value === -(1n << 63n)) return { c: '(-0x7fffffffffffffffll - 1)', type };
  const digits = value > 9n ? `0x${value.toString(16)}` : value.toString();
  if (type === 'i32' || type === 'isize') return { c: value < 0n ? `((${type})(${digits}))` : `(${type})${digits}`, type };
  if (type === 'u32') return { c: `${digits}u`, type };
  if (type === 'i64') return { c: `(${value === -0x80000000n ? `-0x80000000ll` : digits + 'll'})`, type };
  if (type === 'u64') return { c: `${BigInt.asUintN(64, value)}ull`, type };
  return { c: `((${type})${digits})`, type };
}

function name(node: ts.Identifier, at: Surroundings): Value {
  const local = at.local(node.text);
  if (local) return local;
  const symbol = lookUp(at.module, node.text);
  if (symbol?.kind !== 'constant') refuse(node, 'unknown name');
  at.uses(symbol);
  return { c: symbol.c, type: symbol.type };
}

/** `u32.MAX_VALUE` and the like. */
function limit(node: ts.PropertyAccessExpression): Value {
  const type = node.expression.getText();
  const which = node.name.text;
  if (!isType(type) || !isInteger(type) || (which !== 'MAX_VALUE' && which !== 'MIN_VALUE')) refuse(node, 'unknown property');
  const bits = BigInt(bitsOf(type));
  if (which === 'MIN_VALUE') return constant(isSigned(type) ? -(1n << (bits - 1n)) : 0n, type);
  return constant((1n << (isSigned(type) ? bits - 1n : bits)) - 1n, type);
}

/** Wraps what C would compute in `int` back into a narrow type. */
function narrow(c: string, type: Type): Value {
  return { c: bitsOf(type) < 32 ? `((${type})(${c}))` : `(${c})`, type };
}

function prefix(node: ts.PrefixUnaryExpression, context: Type | undefined, at: Surroundings): Value {
  const { operand, operator } = node;
  if (operator === SyntaxKind.ExclamationToken) return { c: `(!${expression(operand, context, at).c})`, type: 'bool' };
  if (operator === SyntaxKind.MinusToken && ts.isNumericLiteral(operand)) return literal(-integerOf(operand), context);
  if (operator === SyntaxKind.PlusPlusToken || operator === SyntaxKind.MinusMinusToken) return step(node, operand, operator, true, at);
  const value = expression(operand, context, at);
  if (!isInteger(value.type)) refuse(node, `operator on ${value.type}`);
  if (operator === SyntaxKind.TildeToken) {
    const type: Type = value.type === 'bool' ? 'i32' : value.type;
    return narrow(`~${convert(value, type, node)}`, type);
  }
  if (operator === SyntaxKind.MinusToken) return narrow(`-${value.c}`, value.type);
  return value;
}

function step(node: ts.Node, operand: ts.Expression, operator: ts.SyntaxKind, before: boolean, at: Surroundings): Value {
  const local = ts.isIdentifier(operand) ? at.local(operand.text) : undefined;
  if (!local) refuse(node, 'only a local can be stepped');
  const sign = operator === SyntaxKind.PlusPlusToken ? '++' : '--';
  return { c: before ? `(${sign}${local.c})` : `(${local.c}${sign})`, type: local.type };
}

function binary(node: ts.BinaryExpression, context: Type | undefined, at: Surroundings): Value {
  const operator = node.operatorToken.kind;
  if (operator === SyntaxKind.EqualsToken || COMPOUND.has(operator)) return assignment(node, at);
  if (operator === SyntaxKind.AmpersandAmpersandToken || operator === SyntaxKind.BarBarToken) {
    const c = operator === SyntaxKind.BarBarToken ? '||' : '&&';
    const [left, right] = [expression(node.left, context, at), expression(node.right, context, at)];
    if (context !== 'bool' && (left.type !== 'bool' || right.type !== 'bool')) refuse(node, `${c} as a number`);
    return { c: `(${left.c} ${c} ${right.c})`, type: 'bool' };
  }
  if (operator === SyntaxKind.CommaToken) {
    const right = expression(node.right, context, at);
    return { c: `(${expression(node.left, 'void', at).c}, ${right.c})`, type: right.type };
  }
  const left = expression(node.left, SHIFTS.has(operator) && context === 'void' ? undefined : context, at);
  if (SHIFTS.has(operator)) return shift(operator, left, expressionAs(node.right, left.type, at), node);

  const right = expression(node.right, left.type, at);
  const arithmetic = ARITHMETIC.get(operator);
  const comparison = COMPARISONS.get(operator);
  const known = arithmetic ?? comparison ?? refuse(node, 'unknown operator');
  const type = commonType(left.type, right.type, known.signed);
  if (type === undefined || !isInteger(type)) refuse(node, `${known.c} of ${left.type} and ${right.type}`);
  const c = `${convert(left, type, node)} ${known.c} ${convert(right, type, node)}`;
  return arithmetic ? narrow(c, type) : { c: `(${c})`, type: 'bool' };
}

function shift(operator: ts.SyntaxKind, left: Value, right: string, node: ts.Node): Value {
  const { type } = left;
  if (!isInteger(type) || type === 'bool') refuse(node, `shift of ${type}`);
  const count = `(${right} & ${bitsOf(type) - 1})`;
  const c = SHIFTS.get(operator);
  if (c !== '>>>' || !isSigned(type)) return narrow(`${left.c} ${c === '<<' ? '<<' : '>>'} ${count}`, type);
  const unsigned: Type = type === 'isize' ? 'usize' : (`u${bitsOf(type)}` as Type);
  return { c: `((${type})((${unsigned})${left.c} >> ${count}))`, type };
}

function assignment(node: ts.BinaryExpression, at: Surroundings): Value {
  const target = ts.isIdentifier(node.left) ? at.local(node.left.text) : undefined;
  if (!target) refuse(node, 'only a local can be assigned to');
  const operator = COMPOUND.get(node.operatorToken.kind);
  const right = expressionAs(node.right, target.type, at);
  if (operator === undefined) return { c: `(${target.c} = ${right})`, type: target.type };
  const value = SHIFTS.has(operator)
    ? shift(operator, target, right, node)
    : narrow(`${target.c} ${ARITHMETIC.get(operator)?.c} ${right}`, target.type);
  return { c: `(${target.c} = ${value.c})`, type: target.type };
}

function call(node: ts.CallExpression, context: Type | undefined, at: Surroundings): Value {
  const callee = node.expression.getText();
  const symbol = ts.isIdentifier(node.expression) ? lookUp(at.module, callee) : undefined;
  if (symbol) return callFunction(node, symbol, at);

  const known = intrinsic(callee) ?? refuse(node, 'unknown function');
  const argument = (index: number): ts.Expression => node.arguments[index] ?? refuse(node, `argument ${index + 1} is missing`);
  return known({
    node,
    typeArgument: node.typeArguments?.[0] && typeOf(node.typeArguments[0], node),
    count: node.arguments.length,
    context: context === 'void' ? undefined : context,
    as: (index, type) => expressionAs(argument(index), type, at),
    own: (index, expected) => expression(argument(index), expected, at),
    truth: (index) => condition(argument(index), at),
  });
}

function callFunction(node: ts.CallExpression, symbol: GlobalSymbol, at: Surroundings): Value {
  if (symbol.kind !== 'function') refuse(node, 'not a function');
  at.uses(symbol);
  if (node.arguments.length > symbol.parameters.length) refuse(node, 'too many arguments');
  const given = symbol.parameters.map((parameter, index) => {
    const argument = node.arguments[index];
    if (argument) return expressionAs(argument, parameter.type, at);
    return parameterDefault(symbol, index, node);
  });
  return { c: `${symbol.c}(${given.join(', ')})`, type: symbol.returns };
}

function parameterDefault(symbol: FunctionSymbol, index: number, node: ts.Node): string {
  const parameter = symbol.parameters[index];
  if (!parameter?.initializer || !ts.isNumericLiteral(parameter.initializer)) refuse(node, `argument ${index + 1} is missing`);
  return convert(literal(integerOf(parameter.initializer), parameter.type), parameter.type, node);
}
