/** Drop reasons and graph nodes by number: the core's own tables (wasm-core/drops.json, nodes.json). */
import drops from '../../wasm-core/drops.json' with { type: 'json' };
import nodes from '../../wasm-core/nodes.json' with { type: 'json' };

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

export const DROP_REASONS: ReadonlyMap<number, DropReason> = new Map(drops.map((reason) => [reason.code, reason]));
export const GRAPH_NODES: ReadonlyMap<number, GraphNode> = new Map(nodes.map((node) => [node.id, node]));
