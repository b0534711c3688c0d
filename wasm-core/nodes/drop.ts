/** drop: counts what died by reason and interface, keeps its head in the lcore's drop log, frees its frame. */
import {
  DL_BYTES, DL_LENGTH, DL_NH, DL_REASON, DL_RX_IF, DL_TIME_US, DL_VRF, DROP_LOG, DROP_LOG_BYTES, DROP_LOG_ENTRIES, DROP_LOG_ENTRY_SHIFT,
  DROP_LOG_LCORE_SHIFT, FRAMES, LC_DROP_LOG_NEXT, LC_NOW_US, LC_TRACING, M_DROP, M_FRAME, M_L3, M_LENGTH, M_NH, M_RX_IF, M_VRF,
} from '../layout';
import { NODE_DROP } from '../generated';
import { giveFrame } from '../rings/frames';
import { countDrop, countNode, lcoreOf, listCount, listOf, setListCount } from './graph';
import { traceNode } from './trace';

function log(lc: usize, meta: usize): void {
  const next: u32 = load<u32>(lc, LC_DROP_LOG_NEXT);
  store<u32>(lc, next + 1, LC_DROP_LOG_NEXT);
  const entry: usize =
    DROP_LOG + ((lcoreOf(lc) as usize) << DROP_LOG_LCORE_SHIFT) + (((next % DROP_LOG_ENTRIES) as usize) << DROP_LOG_ENTRY_SHIFT);
  store<u64>(entry, load<u64>(lc, LC_NOW_US), DL_TIME_US);
  store<u8>(entry, load<u8>(meta, M_DROP), DL_REASON);
  store<u16>(entry, load<u16>(meta, M_RX_IF), DL_RX_IF);
  store<u32>(entry, load<u32>(meta, M_VRF), DL_VRF);
  store<u32>(entry, load<u32>(meta, M_NH), DL_NH);
  let length: u32 = load<u16>(meta, M_LENGTH);
  if (length > DROP_LOG_BYTES) length = DROP_LOG_BYTES;
  if (load<u32>(meta, M_FRAME) == 0) length = 0;
  store<u16>(entry, length as u16, DL_LENGTH);
  memory.copy(entry + DL_BYTES, load<u32>(meta, M_L3) as usize, length as usize);
}

export function dropNode(lc: usize): void {
  const count: u32 = listCount(lc, NODE_DROP);
  if (count == 0) return;
  const tracing: bool = load<u32>(lc, LC_TRACING) != 0;
  if (tracing) traceNode(lc, NODE_DROP);
  const list: usize = listOf(lc, NODE_DROP);
  for (let i: u32 = 0; i < count; i++) {
    const meta: usize = load<u32>(list + ((i as usize) << 2)) as usize;
    if (!tracing) {
      countDrop(lc, meta);
      log(lc, meta);
    }
    const frame: usize = load<u32>(meta, M_FRAME) as usize;
    store<u32>(meta, 0, M_FRAME); // first: an lcore may be ended anywhere, and no frame may be given back twice
    if (frame >= FRAMES) giveFrame(lc, frame);
  }
  countNode(lc, NODE_DROP, count);
  setListCount(lc, NODE_DROP, 0);
}
