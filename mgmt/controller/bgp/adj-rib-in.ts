/**
 * What peers have told us, kept over the loss of a session and of the engine itself: then everything of the peer is stale, and is
 * taken away only when it is clear that the peer will not tell it again (engine.ts). What comes again unchanged is no change.
 */
import { vpnKey, type ReceivedPath } from './types.ts';
import type { DecodedPath } from './update.ts';

/** What a batch of messages did: `before` is undefined for a new path, `after` for one that is gone. */
export interface ReceivedChange { readonly before: ReceivedPath | undefined; readonly after: ReceivedPath | undefined }

/** Without a path: told, and of no use. */
interface Entry {
  path: ReceivedPath | undefined;
  /** The session that told it last. */
  session: number;
}
/** In the place of a session: one with an engine that is gone. */
const FORMER_ENGINE = 0;

interface Peer {
  readonly entries: Map<string, Entry>;
  /** Counts sessions; what comes while none is up is of the one before, and late. */
  session: number;
  up: boolean;
}

export class AdjRibIn {
  /** Peers that have something which they have not told in the session of now. */
  readonly stale = new Set<number>();
  readonly #peers = new Map<number, Peer>();

  /** Works messages in. */
  apply(decoded: readonly DecodedPath[]): ReceivedChange[] {
    const changes: ReceivedChange[] = [];
    for (const { peer: address, key, withdrawn, path } of decoded) {
      const peer = this.#of(address);
      const { entries, session } = peer;
      if (!peer.up) this.stale.add(address);
      const id = vpnKey(key);
      const before = entries.get(id);
      if (path && before?.path && sameRoute(before.path, path)) {
        before.session = session;
        continue;
      }
      if (withdrawn) entries.delete(id);
      else entries.set(id, { path, session });
      if (before?.path || path) changes.push({ before: before?.path, after: path });
    }
    return changes;
  }

  /** A session came up, or went down: what was told until now is stale. */
  setSession(address: number, up: boolean): void {
    const peer = this.#of(address);
    peer.up = up;
    if (up) peer.session++;
    if (peer.entries.size > 0) this.stale.add(address);
  }

  /** What peers told before this process began: all of it is stale. */
  restore(paths: Iterable<ReceivedPath>): void {
    for (const path of paths) {
      this.#of(path.peer).entries.set(vpnKey(path), { path, session: FORMER_ENGINE });
      this.stale.add(path.peer);
    }
  }

  /** The engine is lost for a while: nothing changes, all is stale. */
  engineLost(): void {
    for (const [address, peer] of this.#peers) {
      peer.up = false;
      for (const entry of peer.entries.values()) entry.session = FORMER_ENGINE;
      if (peer.entries.size > 0) this.stale.add(address);
    }
  }

  /** Takes away what is stale: what the engine of now has heard, in a session that was lost, or what only engines before it have. */
  sweep(address: number, what: 'of lost sessions' | 'of former engines'): ReceivedChange[] {
    const former = what === 'of former engines';
    return this.#remove(address, (entry) => (entry.session === FORMER_ENGINE) === former);
  }

  /** Takes away all that a peer told: it is none any more, or is met anew. What of it is still on its way comes late. */
  drop(address: number): ReceivedChange[] {
    this.#of(address).up = false;
    return this.#remove(address, () => true);
  }

  /** Of what is stale. */
  #remove(address: number, which: (entry: Entry) => boolean): ReceivedChange[] {
    const changes: ReceivedChange[] = [];
    const peer = this.#of(address);
    let left = false;
    for (const [id, entry] of peer.entries) {
      if (isFresh(entry, peer)) continue;
      if (!which(entry)) {
        left = true;
        continue;
      }
      peer.entries.delete(id);
      if (entry.path) changes.push({ before: entry.path, after: undefined });
    }
    if (!left) this.stale.delete(address);
    return changes;
  }

  /** How many paths of a peer are fresh, those of no use too. */
  freshOf(address: number): number {
    const peer = this.#of(address);
    let count = 0;
    for (const entry of peer.entries.values()) if (isFresh(entry, peer)) count++;
    return count;
  }

  /** Every path, and whether it is stale. */
  *paths(): Iterable<{ path: ReceivedPath; stale: boolean }> {
    for (const peer of this.#peers.values()) for (const entry of peer.entries.values()) if (entry.path) yield { path: entry.path, stale: !isFresh(entry, peer) };
  }

  #of(address: number): Peer {
    let peer = this.#peers.get(address);
    if (!peer) this.#peers.set(address, peer = { entries: new Map(), session: FORMER_ENGINE + 1, up: false });
    return peer;
  }
}

const isFresh = (entry: Entry, { up, session }: Peer): boolean => up && entry.session === session;

/** `since` aside: a route that is told again is as old as it was. */
function sameRoute(one: ReceivedPath, other: ReceivedPath): boolean {
  return one.label === other.label && one.nextHop === other.nextHop && one.localPreference === other.localPreference && one.origin === other.origin
    && one.targets.join() === other.targets.join() && one.encapsulations.join() === other.encapsulations.join() && one.asPath.join() === other.asPath.join();
}
