/** A path that an evaluation makes. A fleet has hundreds of thousands, so what few are asked for, the id, is composed when it is. */
import type { Nexthop, Path } from './types.ts';

export class ComposedPath implements Path {
  readonly prefix: number;
  readonly targets: readonly string[];
  readonly preference: number;
  readonly appliance: string;
  readonly nexthop: Nexthop;
  readonly tunnelAddress: number;
  readonly label: number;
  readonly vrf: string;
  readonly floating: boolean;
  readonly source: string;

  constructor({ prefix, targets, preference, appliance, nexthop, tunnelAddress, label, vrf, floating, source }: Omit<Path, 'id'>) {
    this.prefix = prefix;
    this.targets = targets;
    this.preference = preference;
    this.appliance = appliance;
    this.nexthop = nexthop;
    this.tunnelAddress = tunnelAddress;
    this.label = label;
    this.vrf = vrf;
    this.floating = floating;
    this.source = source;
  }

  get id(): string {
    return [this.prefix, this.targets.join(), this.preference, this.appliance, this.tunnelAddress, this.label, JSON.stringify(this.nexthop), this.vrf, this.floating, this.source].join(' ');
  }
}

/** Paths in the order of their ids, each of which is asked for once. */
export function inOrder(paths: Iterable<Path>): Path[] {
  return Array.from(paths, (path) => ({ path, id: path.id })).sort((one, other) => (one.id < other.id ? -1 : 1)).map(({ path }) => path);
}
