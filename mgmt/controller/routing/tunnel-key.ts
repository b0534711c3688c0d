/**
 * Keys of tunnels. The store has them as text, "tunnel REMOTE LABEL internal|external UNDERLAY"; in memory a fleet's million of them are
 * a number each: what distinguishes tunnels over one underlay. UNDERLAY is its own address, MTU and gateway, each as a number.
 */
import { MAX_LABELS } from '../../../wasm-core/layout.ts';

const [WORD, INTERNAL, EXTERNAL] = ['tunnel ', 'internal ', 'external '];

/** 32 bits of address, 20 of label, one more: exact in a double. */
export const tunnelNumber = (remote: number, label: number, external: boolean): number => (remote * MAX_LABELS + label) * 2 + (external ? 1 : 0);
export const remoteOf = (tunnel: number): number => Math.floor(tunnel / (MAX_LABELS * 2));
export const labelOf = (tunnel: number): number => Math.floor(tunnel / 2) % MAX_LABELS;
export const isExternal = (tunnel: number): boolean => tunnel % 2 === 1;

export const tunnelKey = (tunnel: number, underlay: string): string => `${WORD}${remoteOf(tunnel)} ${labelOf(tunnel)} ${isExternal(tunnel) ? EXTERNAL : INTERNAL}${underlay}`;

/** The number in a key, and where its underlay begins; undefined: it is no tunnel's. */
export function parseTunnelKey(key: string): { readonly tunnel: number; readonly underlayAt: number } | undefined {
  if (!key.startsWith(WORD)) return undefined;
  let at = WORD.length;
  const number = (): number => {
    let value = 0;
    for (let digit = key.charCodeAt(at++) - ZERO; digit >= 0 && digit <= 9; digit = key.charCodeAt(at++) - ZERO) value = value * 10 + digit;
    return value;
  };
  const [remote, label] = [number(), number()];
  return { tunnel: tunnelNumber(remote, label, key.startsWith(EXTERNAL, at)), underlayAt: at + EXTERNAL.length };
}
const ZERO = '0'.charCodeAt(0);
