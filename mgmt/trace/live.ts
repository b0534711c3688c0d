/** The same walk, asked of the appliances themselves: what each tells otherwise than the controller's states. */
import type { Trace } from '../../firmware/host/trace.ts';
import type { Hop, Walk } from './walk.ts';

/** What of an answer matters here: TraceReply of proto/dataplane.proto. */
export type Told = Pick<Trace, 'verdict' | 'drop'> & { readonly steps: readonly { readonly depth: number; readonly node: string; readonly text: string }[] };

export interface Asked { readonly version: number; readonly told: Told }
/** Asks an appliance for the trace of a frame. @throws when it cannot be reached, or has no such interface */
export type Ask = (appliance: string, iface: string, frame: Uint8Array) => Promise<Asked>;

export interface Difference { readonly where: 'states' | 'live'; readonly text: string }
export interface LiveHop { readonly version: number; readonly problem: string; readonly differences: readonly Difference[] }

/** One for each hop of both legs, in order. */
export async function askAll({ there, back }: Walk, ask: Ask): Promise<Map<Hop, LiveHop>> {
  const live = new Map<Hop, LiveHop>();
  for (const hop of [...there.hops, ...back?.hops ?? []]) {
    live.set(hop, await ask(hop.appliance, hop.interface, hop.frame).then(
      ({ version, told }) => ({ version, problem: '', differences: differencesOf(hop.trace, told) }),
      (error: Error) => ({ version: 0, problem: error.message, differences: [] }),
    ));
  }
  return live;
}

/** MACs of those who are not ours are invented, and each appliance has a hash of its own. */
const comparable = (text: string): string => text.replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'MAC').replace(/flow hash 0x[0-9a-f]+/g, 'flow hash');

/** Steps that only one has, in the order of the way: longest common subsequence. */
export function differencesOf(states: Told, live: Told): Difference[] {
  const lines = ({ steps }: Told): string[] => steps.map(({ depth, node, text }) => `${'  '.repeat(depth)}${node}  ${text}`);
  const [one, other] = [lines(states), lines(live)];
  const same = (i: number, j: number): boolean => comparable(one[i]!) === comparable(other[j]!);
  const common: number[][] = Array.from({ length: one.length + 1 }, () => new Array<number>(other.length + 1).fill(0));
  for (let i = one.length - 1; i >= 0; i--) for (let j = other.length - 1; j >= 0; j--) common[i]![j] = same(i, j) ? 1 + common[i + 1]![j + 1]! : Math.max(common[i + 1]![j]!, common[i]![j + 1]!);
  const found: Difference[] = [];
  for (let i = 0, j = 0; i < one.length || j < other.length;) {
    if (i < one.length && j < other.length && same(i, j)) { i++; j++; }
    else if (i < one.length && (j === other.length || common[i + 1]![j]! >= common[i]![j + 1]!)) found.push({ where: 'states', text: one[i++]!.trimStart() });
    else found.push({ where: 'live', text: other[j++]!.trimStart() });
  }
  return found;
}
