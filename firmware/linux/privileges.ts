/** What this process may do: capabilities (capabilities(7)) and resource limits, as /proc says. */
import { readFileSync } from 'node:fs';

const CAPABILITY_BITS = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_IPC_LOCK: 14, CAP_SYS_ADMIN: 21, CAP_BPF: 39 } as const;
export type Capability = keyof typeof CAPABILITY_BITS;

/** The effective capabilities of this process. */
export function effectiveCapabilities(): ReadonlySet<Capability> {
  const line = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'latin1'));
  const mask = BigInt(`0x${line?.[1] ?? '0'}`);
  const names = Object.keys(CAPABILITY_BITS) as Capability[];
  return new Set(names.filter((name) => ((mask >> BigInt(CAPABILITY_BITS[name])) & 1n) === 1n));
}

/** Bytes that may be locked into memory (RLIMIT_MEMLOCK); Infinity = unlimited. */
export function lockLimit(): number {
  const line = /^Max locked memory\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
  return line?.[1] === undefined || line[1] === 'unlimited' ? Infinity : Number(line[1]);
}
