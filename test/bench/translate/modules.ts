/** Reads a module and all that it imports; knows what every name means and how it is called in C. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import ts from 'typescript';
import { refuse } from './refuse.ts';
import { isType } from './types.ts';
import type { Type } from './types.ts';

export interface FunctionSymbol {
  readonly kind: 'function';
  readonly name: string;
  readonly c: string;
  readonly module: Module;
  readonly node: ts.FunctionDeclaration;
  readonly inline: boolean;
  readonly parameters: readonly { name: string; type: Type; initializer: ts.Expression | undefined }[];
  readonly returns: Type;
}

export interface ConstantSymbol {
  readonly kind: 'constant';
  readonly name: string;
  readonly c: string;
  readonly module: Module;
  readonly type: Type;
  readonly initializer: ts.Expression;
}

export type GlobalSymbol = FunctionSymbol | ConstantSymbol;

export interface Module {
  readonly path: string;
  readonly own: Map<string, GlobalSymbol>;
  readonly imports: Map<string, { from: Module; name: string }>;
  readonly exports: Map<string, { from: Module; name: string }>;
}

/** Reads `entry` and everything it imports. C names get `prefix` and, where two files use one name, the file's name. */
export function readModules(entry: string, prefix: string): Module {
  const modules = new Map<string, Module>();
  const taken = new Set<string>();

  function cName(name: string, path: string, marker: string): string {
    let c = `${prefix}${marker}${name}`;
    if (taken.has(c)) c = `${c}__${basename(dirname(path))}_${basename(path, '.ts')}`.replace(/[^A-Za-z0-9_]/g, '_');
    taken.add(c);
    return c;
  }

  function read(path: string): Module {
    const known = modules.get(path);
    if (known) return known;
    const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
    const module: Module = { path, own: new Map(), imports: new Map(), exports: new Map() };
    modules.set(path, module);

    for (const statement of source.statements) {
      if (ts.isImportDeclaration(statement)) {
        const bindings = statement.importClause?.namedBindings;
        if (!bindings || !ts.isNamedImports(bindings)) refuse(statement, 'only `import { names } from` is known');
        const from = read(resolveImport(path, statement.moduleSpecifier));
        for (const element of bindings.elements) {
          module.imports.set(element.name.text, { from, name: (element.propertyName ?? element.name).text });
        }
      } else if (ts.isExportDeclaration(statement)) {
        const from = statement.moduleSpecifier ? read(resolveImport(path, statement.moduleSpecifier)) : module;
        if (!statement.exportClause) {
          for (const name of from.exports.keys()) module.exports.set(name, { from, name });
        } else if (ts.isNamedExports(statement.exportClause)) {
          for (const element of statement.exportClause.elements) {
            module.exports.set(element.name.text, { from, name: (element.propertyName ?? element.name).text });
          }
        } else refuse(statement, 'unknown export');
      } else if (ts.isFunctionDeclaration(statement)) {
        if (!statement.name || !statement.body) refuse(statement, 'a function needs a name and a body');
        const name = statement.name.text;
        module.own.set(name, readFunction(module, statement, cName(name, path, '')));
        if (isExported(statement)) module.exports.set(name, { from: module, name });
      } else if (ts.isVariableStatement(statement)) {
        if (!(statement.declarationList.flags & ts.NodeFlags.Const)) refuse(statement, 'a global that varies');
        for (const declaration of statement.declarationList.declarations) {
          if (!ts.isIdentifier(declaration.name) || !declaration.initializer) refuse(declaration, 'unknown constant');
          const name = declaration.name.text;
          const type = typeOf(declaration.type, declaration);
          module.own.set(name, { kind: 'constant', name, c: cName(name, path, 'K_'), module, type, initializer: declaration.initializer });
          if (isExported(statement)) module.exports.set(name, { from: module, name });
        }
      } else if (statement.kind !== ts.SyntaxKind.EmptyStatement) refuse(statement, 'unknown at the top level');
    }
    return module;
  }

  return read(resolve(entry));
}

/** What a name at the top level of `module` stands for. */
export function lookUp(module: Module, name: string): GlobalSymbol | undefined {
  const own = module.own.get(name);
  if (own) return own;
  const imported = module.imports.get(name);
  return imported && lookUpExport(imported.from, imported.name);
}

/** What a module exports under a name, re-exports followed. */
export function lookUpExport(module: Module, name: string): GlobalSymbol | undefined {
  const target = module.exports.get(name);
  if (!target) return undefined;
  return target.from === module ? lookUp(module, target.name) : lookUpExport(target.from, target.name);
}

/** Type that an annotation names; it must be there. */
export function typeOf(annotation: ts.TypeNode | undefined, node: ts.Node): Type {
  if (!annotation) refuse(node, 'needs an explicit type');
  const name = annotation.getText();
  if (!isType(name)) refuse(annotation, 'unknown type');
  return name;
}

function readFunction(module: Module, node: ts.FunctionDeclaration, c: string): FunctionSymbol {
  if (node.typeParameters) refuse(node, 'generic function');
  const parameters = node.parameters.map((parameter) => {
    if (!ts.isIdentifier(parameter.name)) refuse(parameter, 'unknown parameter');
    return { name: parameter.name.text, type: typeOf(parameter.type, parameter), initializer: parameter.initializer };
  });
  const decorators = (ts.canHaveDecorators(node) ? ts.getDecorators(node) : node.modifiers?.filter(ts.isDecorator)) ?? [];
  let inline = false;
  for (const decorator of decorators) {
    const name = decorator.expression.getText();
    if (name === 'inline') inline = true;
    else if (name !== 'unsafe') refuse(decorator, 'unknown decorator');
  }
  return { kind: 'function', name: node.name?.text ?? '', c, module, node, inline, parameters, returns: typeOf(node.type, node) };
}

function isExported(node: ts.FunctionDeclaration | ts.VariableStatement): boolean {
  return node.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) ?? false;
}

function resolveImport(importer: string, specifier: ts.Expression): string {
  if (!ts.isStringLiteral(specifier) || !specifier.text.startsWith('.')) refuse(specifier, 'only relative imports are known');
  const base = resolve(dirname(importer), specifier.text);
  for (const candidate of [`${base}.ts`, resolve(base, 'index.ts'), base]) {
    if (candidate.endsWith('.ts') && existsSync(candidate)) return candidate;
  }
  refuse(specifier, 'no such module');
}
