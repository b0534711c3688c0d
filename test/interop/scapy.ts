/** Scapy inside a host of the lab. */
import { fileURLToPath } from 'node:url';
import type { Namespaces } from '../lab/netns.ts';

const SCRIPT = fileURLToPath(new URL('judge.py', import.meta.url));

export interface Exchange {
  namespace: string;
  device?: string;
  /** Frames, as expressions in scapy's language. */
  send: string[];
  /** Which of the frames that arrive are meant: an expression over `p`. */
  match: string;
  /** What is wanted of each: expressions over `p`. */
  fields?: Record<string, string>;
  seconds?: number;
}

/** A frame that arrived; `valid` when scapy, computing lengths and checksums itself, builds the same bytes. */
export type Arrival = Record<string, unknown> & { valid: boolean };

export function exchange(namespaces: Namespaces, { namespace, device = 'eth0', send, match, fields = {}, seconds = 1 }: Exchange): Arrival[] {
  const input = JSON.stringify({ device, send, match, fields, seconds });
  // Debian's scapy belongs to this very python3; another one may come first in PATH.
  const text = namespaces.run(namespace, '/usr/bin/python3', [SCRIPT], { input, timeoutMs: 30_000 });
  return (JSON.parse(text) as { received: Arrival[] }).received;
}
