/** The traffic source (sender.c): compiled once, run on a processor of its own. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Namespaces } from '../../lab/netns.ts';

const SOURCE = fileURLToPath(new URL('./sender.c', import.meta.url));
const OUT = fileURLToPath(new URL('../../../build/bench/', import.meta.url));
/** The sender must not share the forwarder's processor. */
export const SENDER_PROCESSOR = 0;

export interface Sent { readonly packets: number; readonly seconds: number }

/** Compiles sender.c; kept in build/bench by its content. @returns path of the program */
export function buildSender(): string {
  const program = join(OUT, `sender-${createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  mkdirSync(OUT, { recursive: true });
  execFileSync('gcc', ['-std=gnu17', '-O2', '-Wall', SOURCE, '-o', `${program}.new`], { stdio: ['ignore', 'inherit', 'inherit'] });
  renameSync(`${program}.new`, program);
  return program;
}

/** Sends the frames in turn out of a device of a namespace, as fast as it goes, for so many seconds; returns when it is over. */
export function send(program: string, namespaces: Namespaces, namespace: string, device: string, frames: Uint8Array, seconds: number): Sent {
  const [command, args] = namespaces.command(namespace, program, [device, String(SENDER_PROCESSOR), String(seconds), '0']);
  const answer = execFileSync(command, args, { input: frames, encoding: 'utf8', timeout: (seconds + 10) * 1000, stdio: ['pipe', 'pipe', 'inherit'] });
  const [packets = Number.NaN, nanoseconds = Number.NaN] = answer.trim().split(' ').map(Number);
  return { packets, seconds: nanoseconds / 1e9 };
}

/** Frames as sender.c reads them: each its length (u32, little-endian) and its bytes. */
export function packFrames(frames: readonly Uint8Array[]): Buffer {
  return Buffer.concat(frames.flatMap((frame) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(frame.length);
    return [length, frame];
  }));
}
