/**
 * The controller's objects as the translation sees them. What is ours and should not be any more is gone already: who uses it must let go
 * of it before it can go.
 */
import { applianceName, idOf, splitId, type Stored } from '../../controller/model/kinds.ts';
import type { Facts, NetworkFact, PoolFact } from './view.ts';

/** What is known of the controller. */
export interface Known extends Facts { get(id: string): Stored | undefined }

export function standing(known: Known, isLeaving: (id: string, stored: Stored) => boolean): Facts {
  const stays = (id: string): boolean => {
    const stored = known.get(id);
    return stored !== undefined && !isLeaving(id, stored);
  };
  return {
    appliance: (name) => known.appliance(name),
    network: (name): NetworkFact | undefined => (stays(idOf('virtual-network', name)) ? known.network(name) : undefined),
    pool: (name): PoolFact | undefined => (stays(idOf('floating-ip-pool', name)) ? known.pool(name) : undefined),
  };
}

/** The question of the translation whose answer an object is; undefined: it asks of none. */
export function questionOf(id: string): string | undefined {
  const [kind, name] = splitId(id);
  switch (kind) {
    case 'virtual-router': return `appliance ${applianceName(name)}`;
    case 'virtual-network': return `network ${name}`;
    case 'floating-ip-pool': return `pool ${name}`;
    default: return undefined;
  }
}
