/**
 * The attachments that ADD made, or was making: a file each, so that they are known after the agent was killed. They are of this boot, as
 * network namespaces are: nothing is forced onto the disk.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PodAddress } from '../../../proto/sync.ts';
import type { AttachmentKey, PodName } from './request.ts';

/** One interface of a pod, and its wire. */
export interface PodInterface {
  /** In the pod. */
  readonly name: string;
  /** The port of the data plane, and the device at the wire's other end. */
  readonly port: string;
  readonly mac: string;
  readonly mtu: number;
  readonly addresses: readonly PodAddress[];
  /** The default route leads over its first address's gateway. */
  readonly defaultRoute: boolean;
}

export interface Attachment extends AttachmentKey {
  readonly network: string;
  readonly netns: string;
  readonly pod: PodName;
  readonly interfaces: readonly PodInterface[];
  /** False: ADD had not come to its end. */
  readonly complete: boolean;
}

const EXTENSION = '.json';
const textOf = ({ containerId, ifname }: AttachmentKey): string => `${containerId}@${ifname}`;

export class Attachments {
  readonly #folder: string;
  readonly #all = new Map<string, Attachment>();

  /** @param warn is told of files that cannot be read: what they were of is left to GC */
  constructor(folder: string, warn: (text: string) => void) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(folder)) {
      if (!file.endsWith(EXTENSION)) continue;
      try {
        const attachment = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Attachment;
        this.#all.set(textOf(attachment), attachment);
      } catch (error) {
        warn(`${join(folder, file)} is not readable: ${(error as Error).message}`);
      }
    }
  }

  get(key: AttachmentKey): Attachment | undefined { return this.#all.get(textOf(key)); }
  all(): Attachment[] { return [...this.#all.values()]; }

  put(attachment: Attachment): void {
    const file = this.#file(attachment);
    writeFileSync(`${file}.new`, JSON.stringify(attachment));
    renameSync(`${file}.new`, file);
    this.#all.set(textOf(attachment), attachment);
  }

  delete(key: AttachmentKey): void {
    rmSync(this.#file(key), { force: true });
    this.#all.delete(textOf(key));
  }

  #file(key: AttachmentKey): string { return join(this.#folder, `${textOf(key)}${EXTENSION}`); }
}
