/** Translates and compiles the C twin, and the harness for the other side; both are kept in build/bench by their content. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { translate } from '../translate/translate.ts';
import type { Translation } from '../translate/translate.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const OUT = join(ROOT, 'build/bench');
const HARNESS = join(ROOT, 'test/bench/assembly/rings.ts');

/** Beside -O3 -march=native only what WebAssembly's semantics ask for: wrapping arithmetic, untyped memory, address 0. */
const GCC_FLAGS = ['-std=gnu17', '-O3', '-march=native', '-fwrapv', '-fno-strict-aliasing', '-fno-delete-null-pointer-checks', '-w'];
const PROGRAM_FLAGS = [...GCC_FLAGS, '-static-pie', '-fPIE'];
const LIBRARY_FLAGS = [...GCC_FLAGS, '-shared', '-fPIC', '-fvisibility=hidden', '-Wl,-Bsymbolic'];

/**
 * Builds the twin of wasm-core/index.ts.
 * @param flags further flags, for experiments
 * @returns path of the program
 * @throws Refused when the core leaves the translator's subset
 */
export function buildTwin(flags: readonly string[] = []): string {
  const core = translate(join(ROOT, 'wasm-core/index.ts'), 'core_');
  const harness = translate(HARNESS, 'harness_');
  const sources: Record<string, string> = {
    'core.c': core.c,
    'harness.c': harness.c,
    'exports.c': exportTable([core, harness]),
    'twin.c': readFileSync(new URL('./twin.c', import.meta.url), 'utf8'),
  };
  return compile('twin', [...PROGRAM_FLAGS, ...flags], sources);
}

/**
 * Builds the lcore's loop in C (lcore.c) around the translated core, to be loaded by a dataplane process.
 * @param constants what the C text needs of ours, by name
 * @returns path of the shared object
 */
export function buildLcoreTwin(constants: Readonly<Record<string, number>>): string {
  const own = (name: string): string => readFileSync(new URL(`./${name}`, import.meta.url), 'utf8');
  return compile('lcore', LIBRARY_FLAGS, {
    'core.c': `#include "arena.h"\n${translate(join(ROOT, 'wasm-core/index.ts'), 'core_').c}`,
    'lcore.c': own('lcore.c'),
    'arena.h': own('arena.h'),
    'constants.h': Object.entries(constants).map(([name, value]) => `#define ${name} ${value}\n`).join(''),
  });
}

function compile(name: string, flags: readonly string[], sources: Readonly<Record<string, string>>): string {
  const folder = folderFor(name, [...flags, execFileSync('gcc', ['--version'], { encoding: 'utf8' }), ...Object.values(sources)]);
  const program = join(folder, name);
  if (existsSync(program)) return program;
  for (const [file, text] of Object.entries(sources)) writeFileSync(join(folder, file), text);
  const files = Object.keys(sources).filter((file) => file.endsWith('.c')).map((file) => join(folder, file));
  execFileSync('gcc', [...flags, ...files, '-o', `${program}.new`], { stdio: ['ignore', 'inherit', 'inherit'] });
  renameSync(`${program}.new`, program);
  return program;
}

/** Compiles the harness with asc, for the WebAssembly side. */
export function buildHarness(): WebAssembly.Module {
  const sources = ['rings.ts', 'pool.ts'].map((name) => readFileSync(new URL(`../assembly/${name}`, import.meta.url), 'utf8'));
  const folder = folderFor('harness', [...sources, readFileSync(join(ROOT, 'wasm-core/layout.ts'), 'utf8')]);
  const out = join(folder, 'harness.wasm');
  if (!existsSync(out)) {
    execFileSync(process.execPath, [
      join(ROOT, 'node_modules/assemblyscript/bin/asc.js'), relative(folder, HARNESS), '--outFile', out, '-O3', '--runtime', 'stub', '--importMemory',
      '--sharedMemory', '--initialMemory', '65536', '--maximumMemory', '65536', '--noExportMemory', '--enable', 'threads', '--enable', 'bulk-memory',
    ], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
  }
  return new WebAssembly.Module(readFileSync(out));
}

function folderFor(name: string, content: readonly string[]): string {
  const hash = createHash('sha256');
  for (const text of content) hash.update(text).update('\0');
  const folder = join(OUT, `${name}-${hash.digest('hex').slice(0, 16)}`);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** C text of the table by which twin.c finds an export: all arguments and results travel as u64. */
function exportTable(translations: readonly Translation[]): string {
  const exports = translations.flatMap((translation) => translation.exports);
  const cType = (type: string): string => ({ usize: 'uint32_t', u32: 'uint32_t', i32: 'int32_t', u64: 'uint64_t', i64: 'int64_t', bool: '_Bool', void: 'void' })[type] ?? fail(type);
  const declarations = exports.map(({ c, parameters, returns }) => `${cType(returns)} ${c}(${parameters.map(cType).join(', ') || 'void'});\n`);
  const calls = exports.map(({ c, parameters, returns }) => {
    const call = `${c}(${parameters.map((type, i) => `(${cType(type)})a[${i}]`).join(', ')})`;
    return `static uint64_t call_${c}(const uint64_t *a) { ${returns === 'void' ? `${call}; return 0` : `return (uint64_t)${call}`}; }\n`;
  });
  const entries = exports.map(({ name, c }) => `  {"${name}", call_${c}},\n`);
  return [
    '#include <stddef.h>\n#include <stdint.h>\nstruct export { const char *name; uint64_t (*call)(const uint64_t *); };\n',
    ...declarations, ...calls, 'const struct export exports[] = {\n', ...entries, '  {NULL, NULL},\n};\n',
  ].join('');
}

function fail(type: string): never {
  throw new Error(`an export takes or gives a ${type}: the twin's calls know u32, i32, u64, i64, usize and bool`);
}
