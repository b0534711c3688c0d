/**
 * Writes a module of TypeScript types beside each .proto here: `node proto/generate.ts` (`--check`: only compares, exit 1
 * when one is stale). One interface per message, as proto/load.ts delivers it; one interface of methods per service.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import protobuf from 'protobufjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const NUMBERS = new Set(['double', 'float', 'int32', 'uint32', 'sint32', 'fixed32', 'sfixed32', 'int64', 'uint64', 'sint64', 'fixed64', 'sfixed64']);

/** The text of the module for `file` (a .proto in this folder). */
export function generate(file: string): string {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => join(HERE, basename(target));
  root.loadSync(file, { keepCase: false, alternateCommentMode: true });
  root.resolveAll();

  const imports = new Set<string>();
  const own = (object: protobuf.ReflectionObject): boolean => basename(object.filename ?? '') === file;

  /** Nested types are called Outer + Inner; those of another file, by a namespace import: sync.Update. */
  function nameOf(type: protobuf.Type | protobuf.Enum): string {
    let name = type.name;
    for (let outer = type.parent; outer instanceof protobuf.Type; outer = outer.parent) name = outer.name + name;
    if (own(type)) return name;
    const module = basename(type.filename ?? '', '.proto');
    if (module === '') throw new Error(`${file}: ${type.fullName} comes from no file here`);
    imports.add(module);
    return `${module}.${name}`;
  }

  function scalar(field: protobuf.Field): string {
    if (field.resolvedType) return nameOf(field.resolvedType as protobuf.Type | protobuf.Enum);
    if (NUMBERS.has(field.type)) return 'number';
    if (field.type === 'bytes') return 'Buffer';
    if (field.type === 'bool') return 'boolean';
    if (field.type === 'string') return 'string';
    throw new Error(`${file}: ${field.fullName} has the unknown type ${field.type}`);
  }

  /** One member; an unset message is null, a member of a oneof is absent. */
  function member(field: protobuf.Field): string {
    const type = scalar(field);
    if (field instanceof protobuf.MapField) return `${field.name}: Record<string, ${type}>;`;
    if (field.repeated) return `${field.name}: ${type}[];`;
    if (field.partOf) return `${field.name}?: ${type};`;
    return field.resolvedType instanceof protobuf.Type ? `${field.name}: ${type} | null;` : `${field.name}: ${type};`;
  }

  const comment = (text: string | null, indent = ''): string =>
    text ? `${indent}/** ${text.replaceAll('*/', '* /').split('\n').join(`\n${indent} * `)} */\n` : '';

  function message(type: protobuf.Type): string {
    const lines = type.fieldsArray.map((field) => comment(field.comment, '  ') + `  ${member(field)}\n`);
    for (const oneof of type.oneofsArray) {
      if (oneof.name.startsWith('_')) continue; // proto3 `optional`
      lines.push(`  ${oneof.name}?: ${oneof.fieldsArray.map((field) => `'${field.name}'`).join(' | ')};\n`);
    }
    const body = lines.length ? `{\n${lines.join('')}}` : '{}';
    return `${comment(type.comment)}export interface ${nameOf(type)} ${body}\n` + type.nestedArray.map(declaration).join('');
  }

  function service(object: protobuf.Service): string {
    const methods = object.methodsArray.map((method) => {
      const shape = method.requestStream ? (method.responseStream ? 'Bidi' : 'ClientStream') : method.responseStream ? 'ServerStream' : 'Unary';
      const name = method.name.charAt(0).toLowerCase() + method.name.slice(1);
      return comment(method.comment, '  ') + `  ${name}: ${shape}<${nameOf(method.resolvedRequestType!)}, ${nameOf(method.resolvedResponseType!)}>;\n`;
    });
    return `${comment(object.comment)}export interface ${object.name}Methods {\n${methods.join('')}}\n` +
      `export const ${object.name}: Service<${object.name}Methods> = { file: '${file}', name: '${object.fullName.slice(1)}' };\n`;
  }

  function declaration(object: protobuf.ReflectionObject): string {
    if (object instanceof protobuf.Namespace && !(object instanceof protobuf.Type) && !(object instanceof protobuf.Service)) {
      return object.nestedArray.map(declaration).join('');
    }
    if (!own(object)) return '';
    if (object instanceof protobuf.Type) return '\n' + message(object);
    if (object instanceof protobuf.Enum) return `\n${comment(object.comment)}export type ${nameOf(object)} = ${Object.keys(object.values).map((value) => `'${value}'`).join(' | ')};\n`;
    if (object instanceof protobuf.Service) return '\n' + service(object);
    return '';
  }

  const body = declaration(root);
  const shapes = ['Bidi', 'ClientStream', 'ServerStream', 'Service', 'Unary'].filter((shape) => new RegExp(`: ${shape}<`).test(body));
  const head = [
    `// Generated from ${file} by proto/generate.ts: do not edit.`,
    ...(shapes.length ? [`import type { ${shapes.join(', ')} } from './load.ts';`] : []),
    ...[...imports].sort().map((module) => `import type * as ${module} from './${module}.ts';`),
  ];
  return `${head.join('\n')}\n${body}`;
}

/** The .proto files of this folder, and what their modules must say. */
export function modules(): { path: string; text: string; current: boolean }[] {
  return readdirSync(HERE).filter((file) => file.endsWith('.proto')).sort().map((file) => {
    const path = join(HERE, file.replace(/\.proto$/, '.ts'));
    const text = generate(file);
    return { path, text, current: existsSync(path) && readFileSync(path, 'utf8') === text };
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const stale = modules().filter((module) => !module.current);
  if (process.argv.includes('--check')) {
    for (const module of stale) console.error(`${module.path} is stale: run node proto/generate.ts`);
    process.exitCode = stale.length ? 1 : 0;
  } else {
    for (const module of stale) writeFileSync(module.path, module.text);
  }
}
