/** docs/forwarding.md section 2: what an IPv4 packet must be. */
import { dropped } from './packet.ts';
import { byteAt, onesSum, read16, read32 } from './wire.ts';

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_LOOSE_SOURCE_ROUTE = 131;
const OPTION_STRICT_SOURCE_ROUTE = 137;

/**
 * Checks 1 to 4.
 *
 * @param available what follows the layer below, padding included
 * @param outer whether it came straight from Ethernet (check 2), and in a broadcast or multicast frame
 * @returns a copy of the packet without the padding
 */
export function validate(available: Uint8Array, outer: { broadcast: boolean } | undefined): Uint8Array {
  if (available.length < 20) dropped('ipv4_too_short');
  if (byteAt(available, 0) >>> 4 !== 4) dropped('ipv4_version');
  const header = (byteAt(available, 0) & 0x0f) * 4;
  if (header < 20) dropped('ipv4_header_length');
  if (header > available.length) dropped('ipv4_too_short');
  const total = read16(available, 2);
  if (total < header) dropped('ipv4_total_length');
  if (total > available.length) dropped('ipv4_truncated');
  if (onesSum(available.subarray(0, header)) !== 0xffff) dropped('ipv4_checksum');

  const source = read32(available, 12);
  const destination = read32(available, 16);
  if (outer !== undefined && (outer.broadcast || destination === 0xffffffff)) dropped('ipv4_broadcast');

  const [s, d] = [source >>> 24, destination >>> 24];
  if (s === 0 || s === 127 || s >= 224) dropped('ipv4_source_martian');
  if (d === 0 || d === 127 || d >= 240) dropped('ipv4_destination_martian');
  if (d >= 224) dropped('ipv4_multicast');

  walkOptions(available.subarray(20, header));
  return available.slice(0, total);
}

function walkOptions(options: Uint8Array): void {
  for (let at = 0; at < options.length; ) {
    const type = byteAt(options, at);
    if (type === OPTION_END) return;
    if (type === OPTION_NOP) {
      at += 1;
      continue;
    }
    const length = options[at + 1] ?? 0;
    if (length < 2 || at + length > options.length) dropped('ipv4_options');
    if (type === OPTION_LOOSE_SOURCE_ROUTE || type === OPTION_STRICT_SOURCE_ROUTE) dropped('ipv4_source_route');
    at += length;
  }
}
