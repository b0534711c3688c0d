/** What the control instance calls: docs/core-abi.md. */
import {
  COMMAND, COMMAND_SIZE, FR_GENERATION, H_EPOCH, H_GENERATION, H_MAGIC, H_VERSION, HEADER, IF_GENERATION, INTERFACE_SHIFT, INTERFACES, LAYOUT_MAGIC, LAYOUT_VERSION,
  MAX_INTERFACES, MAX_LABELS, MAX_NEXTHOPS, MAX_VRFS, RESULTS, RESULTS_SIZE, RIB, FIP_RECORDS, FIP_RECORD_SHIFT, VRF_GENERATION, VRF_SHIFT, VRFS,
  LPM_POPTRIE, ECMP_SIZE,
} from '../layout';
import {
  FL_SIZE, IX_SIZE, LB_SIZE, NX_SIZE, RECORD_ECMP, RECORD_FLOATING_IP, RECORD_INTERFACE, RECORD_LABEL, RECORD_NEXTHOP, RECORD_ROUTE, RESULT_MALFORMED,
  RESULT_NO_VRF, VR_SIZE,
} from '../records';
import { pack, PACK_ALL, packCursor, recordSize } from './dump';
import { ecmpApply } from './ecmp';
import { fipApply } from './fip-writer';
import { heapInit } from './heap';
import { interfaceApply } from './interface';
import { labelApply } from './label';
import { lpmLookup } from './lpm';
import { lpmPrefer } from './lpm-writer';
import { nexthopApply } from './nexthop-writer';
import { ribLookup, RN_GENERATION, RN_SIZE } from './rib';
import { routesApply } from './routes';
import { vrfApply, vrfExists } from './vrf';
import { ECMP_GENERATIONS, forgetFresh, LABEL_GENERATIONS, NEXTHOP_GENERATIONS, W_FIP_NEXT, W_RIB_NEXT, W_SWEEP } from './writer';

export { advance, collect, reached } from './epoch';
export { sweep } from './sweep';
export { staleCount, total } from './writer';

const MAX_GENERATION: u32 = 255;

/** Prepares a fresh memory; one that a core of this version prepared before is left as it is. Returns 1 for another version's. */
export function init(): u32 {
  if (load<u32>(HEADER, H_MAGIC) == LAYOUT_MAGIC) return load<u32>(HEADER, H_VERSION) == LAYOUT_VERSION ? 0 : 1;
  heapInit();
  store<u32>(HEADER, 1, H_EPOCH);
  store<u32>(HEADER, 1, H_GENERATION);
  store<u32>(HEADER, LAYOUT_VERSION, H_VERSION);
  atomic.store<u32>(HEADER + H_MAGIC, LAYOUT_MAGIC);
  return 0;
}

/** Writes `count` records of a kind at COMMAND, a result byte each at RESULTS; returns how many were refused. */
export function apply(kind: u32, count: u32): u32 {
  const size: u32 = recordSize(kind);
  const limit: u32 = size == 0 ? 0 : COMMAND_SIZE / size;
  if (count > limit || count > RESULTS_SIZE) {
    memory.fill(RESULTS, RESULT_MALFORMED as u8, (count < RESULTS_SIZE ? count : RESULTS_SIZE) as usize);
    return count;
  }
  if (kind == RECORD_ROUTE) routesApply(COMMAND, count, RESULTS);
  else if (kind == RECORD_ECMP) ecmpApply(COMMAND, count, RESULTS);
  else if (kind == RECORD_NEXTHOP) for (let i: u32 = 0; i < count; i++) note(i, nexthopApply(COMMAND + ((i * NX_SIZE) as usize)));
  else if (kind == RECORD_LABEL) for (let i: u32 = 0; i < count; i++) note(i, labelApply(COMMAND + ((i * LB_SIZE) as usize)));
  else if (kind == RECORD_FLOATING_IP) for (let i: u32 = 0; i < count; i++) note(i, fipApply(COMMAND + ((i * FL_SIZE) as usize)));
  else if (kind == RECORD_INTERFACE) for (let i: u32 = 0; i < count; i++) note(i, interfaceApply(COMMAND + ((i * IX_SIZE) as usize)));
  else for (let i: u32 = 0; i < count; i++) note(i, vrfApply(COMMAND + ((i * VR_SIZE) as usize)));
  let refused: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    if (<u32>load<u8>(RESULTS + (i as usize)) != 0) refused += 1;
  }
  return refused;
}

@inline
function note(index: u32, result: u32): void {
  store<u8>(RESULTS + (index as usize), result as u8);
}

/** A new generation: all that is not written again from now on is stale. */
export function resyncBegin(): void {
  const former: u32 = load<u32>(HEADER, H_GENERATION);
  if (former == MAX_GENERATION) ageAll();
  store<u32>(HEADER, former == MAX_GENERATION ? 1 : former + 1, H_GENERATION);
  forgetFresh();
  store<u32>(W_SWEEP, 0);
}


/** Packs live records into COMMAND from a cursor on (0 = the first); their count. The next cursor is the u32 at RESULTS, 0 = end. */
export function dump(kind: u32, vrf: u32, cursor: u32): u32 {
  const packed: u32 = pack(kind, vrf, cursor, PACK_ALL);
  store<u32>(RESULTS, packCursor());
  return packed;
}

/** LPM result (LEAF_*) of an address in network order. */
export function lookup(vrf: u32, address: u32): u32 {
  return vrf < MAX_VRFS ? lpmLookup(vrf, address) : 0;
}

/** Address of the RIB node of the longest match (RN_* in tables/rib), 0 = none. */
export function lookupRib(vrf: u32, address: u32): usize {
  return vrf < MAX_VRFS ? ribLookup(vrf, address) : 0;
}

/** Prefers another kind of lookup table for a VRF (0 = by size) and rebuilds it now; RESULT_*. */
export function convert(vrf: u32, kind: u32): u32 {
  if (vrf >= MAX_VRFS) return RESULT_NO_VRF;
  if (vrfExists(vrf) == 0) return RESULT_NO_VRF;
  return kind > LPM_POPTRIE ? RESULT_MALFORMED : lpmPrefer(vrf, kind);
}

// ---- when generations have gone once round ---------------------------------------------------------------------------------
/** Stamps all that exists with the last generation, so that none of it looks like one of those that come. */
function ageAll(): void {
  ageEvery(VRFS + VRF_GENERATION, (1 as usize) << VRF_SHIFT, MAX_VRFS);
  ageEvery(INTERFACES + IF_GENERATION, (1 as usize) << INTERFACE_SHIFT, MAX_INTERFACES);
  ageEvery(NEXTHOP_GENERATIONS, 1, MAX_NEXTHOPS);
  ageEvery(LABEL_GENERATIONS, 1, MAX_LABELS);
  ageEvery(ECMP_GENERATIONS, 1, (ECMP_SIZE >> 2) as u32);
  ageEvery(FIP_RECORDS + FR_GENERATION, (1 as usize) << FIP_RECORD_SHIFT, load<u32>(W_FIP_NEXT));
  ageEvery(RIB + RN_SIZE + RN_GENERATION, RN_SIZE, load<u32>(W_RIB_NEXT));
}

function ageEvery(first: usize, step: usize, count: u32): void {
  let at: usize = first;
  for (let i: u32 = 0; i < count; i++) {
    if (<u32>load<u8>(at) != 0) store<u8>(at, MAX_GENERATION as u8);
    at += step;
  }
}
