/**
 * What peers have told us, kept over the loss of a session and of the engine itself: then everything of the peer is stale, and is
 * taken away only when the peer has said all it has to say (End-of-RIB) or has stayed away for too long. What comes again
 * unchanged is no change.
 */
import { vpnKey, type ReceivedPath } from './types.ts';
import type { DecodedPath } from './decode.ts';

/** What a batch of messages did: `before` is undefined for a new path, `after` for one that is gone. */
export interface ReceivedChange { readonly before: ReceivedPath | undefined; readonly after: ReceivedPath | undefined }

interface Entry { path: ReceivedPath | undefined; fresh: boolean }

export class AdjRibIn {
  /** Peers that have not told everything again since the engine was lost. */
  readonly stale = new Set<number>();
  readonly #peers = new Map<number, Map<string, Entry>>();

  /** Works a message in. */
  apply(decoded: readonly DecodedPath[]): ReceivedChange[] {
    const changes: ReceivedChange[] = [];
    for (const { peer, key, withdrawn, stale, path } of decoded) {
      let entries = this.#peers.get(peer);
      if (!entries) this.#peers.set(peer, entries = new Map());
      const id = vpnKey(key);
      const before = entries.get(id);
      if (path && before?.path && sameRoute(before.path, path)) {
        before.fresh = !stale;
        continue;
      }
      if (withdrawn) entries.delete(id);
      else entries.set(id, { path, fresh: !stale });
      if (before?.path || path) changes.push({ before: before?.path, after: path });
    }
    return changes;
  }

  /** What peers told before this process began: all of it is stale. */
  restore(paths: Iterable<ReceivedPath>): void {
    for (const path of paths) {
      let entries = this.#peers.get(path.peer);
      if (!entries) this.#peers.set(path.peer, entries = new Map());
      entries.set(vpnKey(path), { path, fresh: false });
      this.stale.add(path.peer);
    }
  }

  /** The engine is lost for a while: nothing changes, all is stale. */
  markStale(): void {
    for (const [peer, entries] of this.#peers) {
      if (entries.size > 0) this.stale.add(peer);
      for (const entry of entries.values()) entry.fresh = false;
    }
  }

  /** Takes away what is still stale: the peer has told everything. */
  sweep(peer: number): ReceivedChange[] {
    const changes: ReceivedChange[] = [];
    const entries = this.#peers.get(peer);
    this.stale.delete(peer);
    for (const [id, entry] of entries ?? []) {
      if (entry.fresh) continue;
      entries!.delete(id);
      if (entry.path) changes.push({ before: entry.path, after: undefined });
    }
    if (entries?.size === 0) this.#peers.delete(peer);
    return changes;
  }

  /** Takes away all that a peer told: it is none any more. */
  drop(peer: number): ReceivedChange[] {
    for (const entry of this.#peers.get(peer)?.values() ?? []) entry.fresh = false;
    return this.sweep(peer);
  }

  /** How many paths of a peer are fresh. */
  freshOf(peer: number): number {
    let count = 0;
    for (const entry of this.#peers.get(peer)?.values() ?? []) if (entry.fresh) count++;
    return count;
  }

  /** Every path, and whether it is stale. */
  *paths(): Iterable<{ path: ReceivedPath; stale: boolean }> {
    for (const entries of this.#peers.values()) for (const { path, fresh } of entries.values()) if (path) yield { path, stale: !fresh };
  }
}

/** `since` aside: a route that is told again is as old as it was. */
function sameRoute(one: ReceivedPath, other: ReceivedPath): boolean {
  return one.label === other.label && one.nextHop === other.nextHop && one.localPreference === other.localPreference && one.origin === other.origin
    && one.targets.join() === other.targets.join() && one.encapsulations.join() === other.encapsulations.join() && one.asPath.join() === other.asPath.join();
}

