/**
 * A store whose disk is the simulation's: what was acknowledged survives a crash; of a write that was under way, it is open whether
 * it does. Held to the conformance of every store (store.test.ts).
 */
import { MirroredStore } from '../../mgmt/controller/store/mirrored.ts';
import type { Store, StoreCommit } from '../../mgmt/controller/store/store.ts';
import { decodeCommit, encodeCommit } from '../../mgmt/controller/store/etcd-records.ts';

/** What survives the controller: its commits, as bytes, in order. */
export class StoreDisk {
  readonly stateId: string;
  readonly commits: Buffer[] = [];
  /** Handed to the disk, and not acknowledged. */
  #writing: Buffer | undefined;
  /** Told each commit that is durable from now on. */
  readonly #onDurable: (commit: StoreCommit) => void;

  constructor(stateId: string, onDurable: (commit: StoreCommit) => void = () => {}) {
    this.stateId = stateId;
    this.#onDurable = onDurable;
  }

  write(commit: Buffer): void { this.#writing = commit; }

  /** The write under way is durable, or is not and never will be. */
  settle(durable: boolean): void {
    if (this.#writing && durable) {
      this.commits.push(this.#writing);
      this.#onDurable(decodeCommit(this.commits.length, this.#writing));
    }
    this.#writing = undefined;
  }
}

export class SimulatedStore extends MirroredStore implements Store {
  readonly #disk: StoreDisk;
  readonly #written: () => Promise<void>;

  /** @param written resolves when a write that was handed to the disk is on it; rejects when it cannot be made, and then is not. */
  constructor(disk: StoreDisk, written: () => Promise<void>) {
    super();
    this.#disk = disk;
    this.#written = written;
    disk.commits.forEach((bytes, at) => this.mirror.apply(decodeCommit(at + 1, bytes)));
  }

  get stateId() { return this.#disk.stateId; }
  close() {}

  async commit(commit: StoreCommit): Promise<void> {
    if (commit.version !== this.version + 1) throw new Error(`commit of version ${commit.version} on version ${this.version}`);
    this.#disk.write(encodeCommit(commit));
    try {
      await this.#written();
    } catch (error) {
      this.#disk.settle(false);
      throw error;
    }
    this.#disk.settle(true);
    this.mirror.apply(commit);
  }
}
