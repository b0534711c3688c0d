/**
 * Translates the core's subset of AssemblyScript to C, word for word: the bench's twin is the same program, compiled by gcc.
 *
 * The subset is what docs/core-abi.md describes under "Style of the core's source". Whatever is outside of it is refused with
 * file and line ({@link Refused}), never guessed. Only what the entry module's exports reach is translated.
 */
import { readFileSync } from 'node:fs';
import { expressionAs } from './expressions.ts';
import { lookUpExport, readModules } from './modules.ts';
import type { ConstantSymbol, FunctionSymbol, GlobalSymbol } from './modules.ts';
import { refuse } from './refuse.ts';
import { signature, translateFunction } from './statements.ts';
import type { Type } from './types.ts';

export { Refused } from './refuse.ts';

export interface Translation {
  /** The whole C text: prelude, constants, functions. */
  readonly c: string;
  /** The entry's exported functions, under their AssemblyScript names. */
  readonly exports: readonly { name: string; c: string; parameters: readonly Type[]; returns: Type }[];
}

/**
 * Translates the module at `entry` and what it imports.
 * @param prefix put before every C name, so that none collides with C's own
 * @throws Refused when the source leaves the subset
 */
export function translate(entry: string, prefix = 'wr_'): Translation {
  const root = readModules(entry, prefix);
  const exported = [...root.exports.keys()]
    .map((name) => lookUpExport(root, name))
    .filter((symbol): symbol is FunctionSymbol => symbol?.kind === 'function');

  const functions = new Map<FunctionSymbol, string>();
  const constants = new Map<ConstantSymbol, string>();
  const waiting: FunctionSymbol[] = [];

  function uses(symbol: GlobalSymbol): void {
    if (symbol.kind === 'constant') defineConstant(symbol);
    else if (!functions.has(symbol)) {
      functions.set(symbol, '');
      waiting.push(symbol);
    }
  }

  function defineConstant(symbol: ConstantSymbol): void {
    if (constants.has(symbol)) return;
    const value = expressionAs(symbol.initializer, symbol.type, {
      module: symbol.module,
      local: () => undefined,
      uses: (used) => (used.kind === 'constant' ? uses(used) : refuse(symbol.initializer, 'a constant calls a function')),
    });
    constants.set(symbol, `#define ${symbol.c} ((${symbol.type})${value})\n`);
  }

  for (const symbol of exported) uses(symbol);
  for (let symbol = waiting.pop(); symbol; symbol = waiting.pop()) functions.set(symbol, translateFunction(symbol, uses));

  const isExported = new Set(exported);
  const storage = (symbol: FunctionSymbol): string => {
    if (isExported.has(symbol)) return '';
    return symbol.inline ? 'static inline __attribute__((always_inline)) ' : 'static ';
  };
  const c = [
    readFileSync(new URL('./prelude.h', import.meta.url), 'utf8'),
    '\n', ...constants.values(),
    '\n', ...[...functions.keys()].map((symbol) => `${storage(symbol)}${signature(symbol)};\n`),
    ...[...functions].map(([symbol, text]) => `\n${storage(symbol)}${text}`),
  ].join('');
  return {
    c,
    exports: exported.map((symbol) => ({
      name: symbol.name, c: symbol.c, parameters: symbol.parameters.map(({ type }) => type), returns: symbol.returns,
    })),
  };
}
