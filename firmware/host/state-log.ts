/**
 * The last good state on disk: a log of the very messages that became live, as they came. The dataplane replays it before its
 * ports come up, so it forwards after a reboot before any agent or controller answers.
 *
 * File: 16 bytes of heading (magic, version of the memory map), then entries: u32 length, u32 CRC-32, that many bytes of an
 * ApplyRequest. An entry that is cut off or damaged ends the log: what follows is dropped, and the controller sends it again,
 * because the version that the appliance reports is that of the last whole entry.
 *
 * Durability: an entry is handed to the kernel before its Ack (it survives the process) and on the disk within SYNC_MS after
 * (it survives power loss). Compaction writes a new file from the live tables, syncs it, and renames it over the old one.
 *
 * An entry that cannot be written leaves a gap: what came after it would bear a version that the log does not reach. So the log
 * ends there, at the last whole entry, until a snapshot has closed the gap.
 */
import { closeSync, fdatasync, fdatasyncSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, writeSync, writevSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { LAYOUT_VERSION } from '../../wasm-core/layout.ts';

const MAGIC = 'wrstate1';
const HEADING_BYTES = 16;
const ENTRY_BYTES = 8;
const SYNC_MS = 200;
/** Small tables are not worth a snapshot. */
const COMPACTION_SLACK = 4 << 20;
/** With a gap, a snapshot is tried at most so often. */
const MEND_MS = 5000;

export interface LoadedLog {
  readonly entries: readonly Buffer[];
  /** What was wrong with the file, if anything; the entries are good none the less. */
  readonly problem: string;
}

/** Parses a log's bytes. Never throws: what cannot be trusted is left out and named. */
export function parseLog(bytes: Buffer): LoadedLog & { readonly goodBytes: number } {
  if (bytes.length < HEADING_BYTES || bytes.toString('latin1', 0, 8) !== MAGIC) return { entries: [], goodBytes: 0, problem: 'it is no state log' };
  const layout = bytes.readUInt32LE(8);
  if (layout !== LAYOUT_VERSION) return { entries: [], goodBytes: 0, problem: `its records are for memory map ${layout}, this is ${LAYOUT_VERSION}` };
  const entries: Buffer[] = [];
  let at = HEADING_BYTES;
  while (at < bytes.length) {
    const problem = (what: string): string => `${bytes.length - at} bytes after entry ${entries.length} are dropped: ${what}`;
    if (at + ENTRY_BYTES > bytes.length) return { entries, goodBytes: at, problem: problem('the entry is cut off') };
    const end = at + ENTRY_BYTES + bytes.readUInt32LE(at);
    if (end > bytes.length) return { entries, goodBytes: at, problem: problem('the entry is cut off') };
    const body = bytes.subarray(at + ENTRY_BYTES, end);
    if (crc32(body) !== bytes.readUInt32LE(at + 4)) return { entries, goodBytes: at, problem: problem('its checksum is wrong') };
    entries.push(body);
    at = end;
  }
  return { entries, goodBytes: at, problem: '' };
}

export class StateLog {
  readonly #directory: string;
  #fd: number;
  /** Bytes of the file now. */
  size: number;
  #dirty = false;
  #syncing = false;
  /** An entry is missing: nothing is appended before a snapshot was. */
  #gap = false;
  #mendAt = 0;
  readonly #timer: NodeJS.Timeout;

  private constructor(directory: string, fd: number, size: number) {
    this.#directory = directory;
    this.#fd = fd;
    this.size = size;
    this.#timer = setInterval(() => this.#sync(), SYNC_MS);
    this.#timer.unref();
  }

  /** Opens the log of a state directory (made if need be) and reads what it holds. @throws when the directory is not writable */
  static open(directory: string): { log: StateLog; loaded: LoadedLog } {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, 'state.log');
    let bytes: Buffer = Buffer.alloc(0);
    try {
      bytes = readFileSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw new Error(`cannot read ${path}: ${(error as Error).message}`, { cause: error });
    }
    const { entries, goodBytes, problem } = bytes.length === 0 ? { entries: [], goodBytes: 0, problem: '' } : parseLog(bytes);
    if (goodBytes === 0 && bytes.length > 0) renameSync(path, `${path}.unreadable`); // kept for whoever wants to know why
    const fd = openSync(path, 'a', 0o600);
    if (goodBytes === 0) writeSync(fd, heading());
    else if (goodBytes < bytes.length) ftruncateSync(fd, goodBytes);
    return { log: new StateLog(directory, fd, Math.max(goodBytes, HEADING_BYTES)), loaded: { entries, problem } };
  }

  /** Appends a message that is live; nothing while the log has a gap. @throws when the disk is full: that makes the gap */
  append(message: Buffer): void {
    if (this.#gap) return;
    try {
      this.#write(this.#fd, message);
    } catch (error) {
      this.#gap = true;
      ftruncateSync(this.#fd, this.size);
      throw error;
    }
    this.size += ENTRY_BYTES + message.length;
    this.#dirty = true;
  }

  /** True when the log has a gap, or has grown so far beyond what is live that a snapshot pays. */
  wantsCompaction(liveBytes: number): boolean {
    return this.#gap ? performance.now() >= this.#mendAt : this.size > 2 * liveBytes + COMPACTION_SLACK;
  }

  /** Replaces the log by a snapshot. The old one stands until the new one is whole and on the disk. */
  async compact(snapshot: AsyncIterable<Buffer>): Promise<void> {
    const path = join(this.#directory, 'state.log');
    this.#mendAt = performance.now() + MEND_MS;
    const fd = openSync(`${path}.new`, 'w', 0o600);
    let size = HEADING_BYTES;
    try {
      writeSync(fd, heading());
      for await (const message of snapshot) {
        this.#write(fd, message);
        size += ENTRY_BYTES + message.length;
      }
      await new Promise<void>((resolve, reject) => fdatasync(fd, (error) => (error ? reject(error) : resolve())));
      renameSync(`${path}.new`, path);
      syncDirectory(this.#directory);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    closeSync(this.#fd);
    this.#fd = fd;
    this.size = size;
    this.#gap = false;
  }

  /** Everything to the disk, and the file closed. */
  close(): void {
    clearInterval(this.#timer);
    fdatasyncSync(this.#fd);
    closeSync(this.#fd);
  }

  #write(fd: number, message: Buffer): void {
    const head = Buffer.alloc(ENTRY_BYTES);
    head.writeUInt32LE(message.length, 0);
    head.writeUInt32LE(crc32(message), 4);
    const written = writevSync(fd, [head, message]);
    const whole = ENTRY_BYTES + message.length;
    if (written < whole) throw new Error(`the state log took ${written} of ${whole} bytes: is the disk full?`);
  }

  #sync(): void {
    if (!this.#dirty || this.#syncing) return;
    this.#dirty = false;
    this.#syncing = true;
    fdatasync(this.#fd, () => {
      this.#syncing = false; // a failing disk shows at the next append
    });
  }
}

function heading(): Buffer {
  const bytes = Buffer.alloc(HEADING_BYTES);
  bytes.write(MAGIC, 'latin1');
  bytes.writeUInt32LE(LAYOUT_VERSION, 8);
  return bytes;
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, 'r');
  fsyncSync(fd);
  closeSync(fd);
}
