/** The last packets that died, from the rings that the lcores write. */
import type { DropLogEntry } from '../../proto/dataplane.ts';
import {
  DL_BYTES, DL_LENGTH, DL_NH, DL_REASON, DL_RX_IF, DL_TIME_US, DL_VRF, DROP_LOG, DROP_LOG_BYTES, DROP_LOG_ENTRIES, DROP_LOG_ENTRY_SHIFT, DROP_LOG_LCORE_SHIFT,
  LC_DROP_LOG_NEXT, LCORE_SHIFT, LCORES,
} from '../../wasm-core/layout.ts';
import { DROP_REASONS } from './catalogue.ts';
import type { MemoryViews } from './memory.ts';
import type { Names } from './names.ts';
import { packetSummary } from './packet-summary.ts';

/** At most `last` entries of all lcores (0: all that there are), oldest first. */
export function readDropLog(views: MemoryViews, names: Names, lcores: number, last: number): DropLogEntry[] {
  const entries: DropLogEntry[] = [];
  for (let lcore = 0; lcore < lcores; lcore++) {
    const next = views.u32[(LCORES + lcore * 2 ** LCORE_SHIFT + LC_DROP_LOG_NEXT) >>> 2] ?? 0;
    for (let i = Math.max(0, next - DROP_LOG_ENTRIES); i < next; i++) entries.push(readEntry(views, names, lcore, i % DROP_LOG_ENTRIES));
  }
  entries.sort((a, b) => a.timeUs - b.timeUs);
  return last === 0 ? entries : entries.slice(-last);
}

function readEntry(views: MemoryViews, names: Names, lcore: number, index: number): DropLogEntry {
  const at = DROP_LOG + (lcore << DROP_LOG_LCORE_SHIFT) + (index << DROP_LOG_ENTRY_SHIFT);
  const bytes = Buffer.from(views.u8.subarray(at, at + (1 << DROP_LOG_ENTRY_SHIFT))); // a copy: the lcore may be writing the next one
  const reason = bytes.readUInt8(DL_REASON);
  const interfaceId = bytes.readUInt16LE(DL_RX_IF);
  const packet = bytes.subarray(DL_BYTES, DL_BYTES + Math.min(bytes.readUInt16LE(DL_LENGTH), DROP_LOG_BYTES));
  return {
    timeUs: Number(bytes.readBigUInt64LE(DL_TIME_US)),
    reason: DROP_REASONS.get(reason)?.name ?? `reason-${reason}`,
    text: DROP_REASONS.get(reason)?.text ?? '',
    node: DROP_REASONS.get(reason)?.node ?? '',
    interface: interfaceId,
    interfaceName: names.name('INTERFACE', interfaceId),
    vrf: bytes.readUInt32LE(DL_VRF),
    nexthop: bytes.readUInt32LE(DL_NH),
    lcore,
    packet,
    summary: packetSummary(packet),
  };
}
