/** Drop reasons and graph nodes by number: the core's own tables (wasm-core/drops.json, nodes.json). */
import { readFileSync } from 'node:fs';

export interface DropReason {
  readonly code: number;
  readonly name: string;
  /** The graph node that usually finds it. */
  readonly node: string;
  readonly class: string;
  readonly text: string;
}
export interface GraphNode {
  readonly id: number;
  readonly name: string;
  readonly text: string;
}

const table = <T>(file: string): readonly T[] => JSON.parse(readFileSync(new URL(`../../wasm-core/${file}`, import.meta.url), 'utf8')) as T[];

export const DROP_REASONS: ReadonlyMap<number, DropReason> = new Map(table<DropReason>('drops.json').map((reason) => [reason.code, reason]));
export const GRAPH_NODES: ReadonlyMap<number, GraphNode> = new Map(table<GraphNode>('nodes.json').map((node) => [node.id, node]));
