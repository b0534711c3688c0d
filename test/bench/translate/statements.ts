/** Function bodies: statements one by one, locals with AssemblyScript's block scopes. */
import ts from 'typescript';
import { condition, expression, expressionAs } from './expressions.ts';
import type { Surroundings } from './expressions.ts';
import { typeOf } from './modules.ts';
import type { FunctionSymbol, GlobalSymbol } from './modules.ts';
import { refuse } from './refuse.ts';
import type { Type } from './types.ts';

const RESERVED = new Set(
  `auto break case char const continue default do double else enum extern float for goto if inline int long register restrict
   return short signed sizeof static struct switch typedef union unsigned void volatile while asm bool typeof`.split(/\s+/),
);

type Scope = Map<string, { c: string; type: Type }>;

/** The function in C; `uses` hears of every function and constant that it needs. */
export function translateFunction(symbol: FunctionSymbol, uses: (symbol: GlobalSymbol) => void): string {
  const scopes: Scope[] = [new Map()];
  const at: Surroundings = { module: symbol.module, uses, local };
  for (const { name, type } of symbol.parameters) declare(name, type);
  const body = symbol.node.body ?? refuse(symbol.node, 'no body');
  return `${signature(symbol)} ${block(body.statements, '')}\n`;

  function local(name: string): { c: string; type: Type } | undefined {
    for (let i = scopes.length - 1; i >= 0; i--) {
      const found = scopes[i]?.get(name);
      if (found) return found;
    }
    return undefined;
  }

  function declare(name: string, type: Type): string {
    const c = localName(name);
    scopes.at(-1)?.set(name, { c, type });
    return c;
  }

  function block(statements: readonly ts.Statement[], indent: string): string {
    scopes.push(new Map());
    const lines = statements.map((inner) => statement(inner, `${indent}  `));
    scopes.pop();
    return `{\n${lines.join('')}${indent}}`;
  }

  /** A statement as the body of `if`, `for` …: always a block. */
  function body_(node: ts.Statement, indent: string): string {
    return block(ts.isBlock(node) ? node.statements : [node], indent);
  }

  function declarations(list: ts.VariableDeclarationList, indent: string): string {
    return list.declarations.map((declaration) => {
      if (!ts.isIdentifier(declaration.name)) refuse(declaration, 'unknown declaration');
      const type = typeOf(declaration.type, declaration);
      const value = declaration.initializer ? expressionAs(declaration.initializer, type, at) : '0';
      return `${indent}${type} ${declare(declaration.name.text, type)} = ${value};\n`;
    }).join('');
  }

  function statement(node: ts.Statement, indent: string): string {
    if (ts.isVariableStatement(node)) return declarations(node.declarationList, indent);
    if (ts.isExpressionStatement(node)) return `${indent}${expression(node.expression, 'void', at).c};\n`;
    if (ts.isReturnStatement(node)) {
      return node.expression ? `${indent}return ${expressionAs(node.expression, symbol.returns, at)};\n` : `${indent}return;\n`;
    }
    if (ts.isBlock(node)) return `${indent}${block(node.statements, indent)}\n`;
    if (ts.isIfStatement(node)) {
      const otherwise = node.elseStatement ? ` else ${body_(node.elseStatement, indent)}` : '';
      return `${indent}if (${condition(node.expression, at)}) ${body_(node.thenStatement, indent)}${otherwise}\n`;
    }
    if (ts.isWhileStatement(node)) return `${indent}while (${condition(node.expression, at)}) ${body_(node.statement, indent)}\n`;
    if (ts.isDoStatement(node)) return `${indent}do ${body_(node.statement, indent)} while (${condition(node.expression, at)});\n`;
    if (ts.isForStatement(node)) return loop(node, indent);
    if (ts.isSwitchStatement(node)) return choice(node, indent);
    if ((ts.isBreakStatement(node) || ts.isContinueStatement(node)) && !node.label) return `${indent}${ts.isBreakStatement(node) ? 'break' : 'continue'};\n`;
    if (node.kind === ts.SyntaxKind.EmptyStatement) return '';
    refuse(node, 'unknown statement');
  }

  function loop(node: ts.ForStatement, indent: string): string {
    scopes.push(new Map());
    const inner = `${indent}  `;
    let start = '';
    if (node.initializer) {
      start = ts.isVariableDeclarationList(node.initializer)
        ? declarations(node.initializer, inner)
        : `${inner}${expression(node.initializer, 'void', at).c};\n`;
    }
    const test = node.condition ? condition(node.condition, at) : '';
    const next = node.incrementor ? expression(node.incrementor, 'void', at).c : '';
    const text = `${indent}{\n${start}${inner}for (; ${test}; ${next}) ${body_(node.statement, inner)}\n${indent}}\n`;
    scopes.pop();
    return text;
  }

  function choice(node: ts.SwitchStatement, indent: string): string {
    const on = expression(node.expression, undefined, at);
    const clauses = node.caseBlock.clauses.map((clause) => {
      const label = ts.isCaseClause(clause) ? `case ${expressionAs(clause.expression, on.type, at)}` : 'default';
      return `${indent}  ${label}: ${block(clause.statements, `${indent}  `)}\n`;
    });
    return `${indent}switch (${on.c}) {\n${clauses.join('')}${indent}}\n`;
  }
}

export function signature(symbol: FunctionSymbol): string {
  const parameters = symbol.parameters.map(({ name, type }) => `${type} ${localName(name)}`).join(', ') || 'void';
  return `${symbol.returns} ${symbol.c}(${parameters})`;
}

function localName(name: string): string {
  return RESERVED.has(name) ? `${name}_` : name.replaceAll('$', '_');
}
