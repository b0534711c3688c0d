import type ts from 'typescript';

/** The source uses something that the translator does not know. The message begins with file:line. */
export class Refused extends Error {}

export function refuse(node: ts.Node, what: string): never {
  const file = node.getSourceFile();
  const line = file.getLineAndCharacterOfPosition(node.getStart(file)).line + 1;
  const text = node.getText(file).split('\n', 1)[0] ?? '';
  throw new Refused(`${file.fileName}:${line}: ${what}: ${text.slice(0, 100)}`);
}
