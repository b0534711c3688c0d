/** MPLS labels: the writer. One u32 store each. */
import { LABELS, MAX_LABELS, MIN_LABEL } from '../layout';
import { LB_LABEL, LB_NEXTHOP, RECORD_LABEL, RESULT_NO_NEXTHOP, RESULT_NOT_FOUND, RESULT_OK, RESULT_OUT_OF_RANGE } from '../records';
import { nexthopAddRef, nexthopDropRef, nexthopExists } from './nexthop-writer';
import { LABEL_GENERATIONS, stamp, stampNew, unstamp } from './writer';

/** Writes one LB record; returns RESULT_*. */
export function labelApply(record: usize): u32 {
  const label: u32 = load<u32>(record, LB_LABEL);
  const nexthop: u32 = load<u32>(record, LB_NEXTHOP);
  if (label < MIN_LABEL || label >= MAX_LABELS) return RESULT_OUT_OF_RANGE;
  if (nexthop != 0) {
    if (nexthopExists(nexthop) == 0) return RESULT_NO_NEXTHOP;
  }
  const at: usize = LABELS + ((label as usize) << 2);
  const mark: usize = LABEL_GENERATIONS + (label as usize);
  const former: u32 = load<u32>(at);
  if (nexthop == 0) {
    if (former == 0) return RESULT_NOT_FOUND;
    atomic.store<u32>(at, 0);
    nexthopDropRef(former);
    unstamp(RECORD_LABEL, mark);
    return RESULT_OK;
  }
  if (former == nexthop) {
    stamp(RECORD_LABEL, mark);
    return RESULT_OK;
  }
  nexthopAddRef(nexthop);
  atomic.store<u32>(at, nexthop);
  if (former == 0) {
    stampNew(RECORD_LABEL, mark);
  } else {
    nexthopDropRef(former);
    stamp(RECORD_LABEL, mark);
  }
  return RESULT_OK;
}
