/** Routes: the writer. The RIB is the truth; lpm-writer.ts makes the lookup table follow. */
import { ANNOUNCED, DIR24_MAX_NH, MAX_ANNOUNCED, MAX_VRFS, VRF_ROUTES, VRF_WIDE } from '../layout';
import {
  RECORD_ROUTE, RESULT_HOST_BITS, RESULT_MALFORMED, RESULT_NO_NEXTHOP, RESULT_NO_VRF, RESULT_NOT_FOUND, RESULT_OK, RESULT_TABLE_FULL, RT_FLAGS, RT_LENGTH,
  RT_NEXTHOP, RT_PREFIX, RT_SIZE, RT_VRF, RTF_ANNOUNCE,
} from '../records';
import { lpmAccepts, lpmChange, lpmFlush } from './lpm-writer';
import { nexthopAddRef, nexthopDropRef, nexthopExists } from './nexthop-writer';
import { leafOf } from './poptrie';
import {
  giveNode, prefixMask, ribCover, ribFind, ribInsert, ribRemove, ribRoom, RN_FLAGS, RN_GENERATION, RN_LEFT, RN_NEXTHOP, RN_RIGHT,
} from './rib';
import { vrfAt, vrfExists } from './vrf';
import { addTo, BATCH_COUNTS, BATCH_ORDER, stamp, stampNew, unstamp } from './writer';

/** Runs of one VRF from this length on are written in the order of prefixes: their walks through the RIB stay in the cache. */
const SORT_FROM: u32 = 1024;

/** Writes RT records, with a result byte each. Changes are live when it returns; ANNOUNCED lists what is to be announced. */
export function routesApply(records: usize, count: u32, results: usize): void {
  store<u32>(ANNOUNCED, 0);
  let done: u32 = 0;
  while (done < count) {
    const first: usize = records + ((done * RT_SIZE) as usize);
    const vrf: u32 = load<u32>(first, RT_VRF);
    let run: u32 = 1;
    while (done + run < count && load<u32>(first + ((run * RT_SIZE) as usize), RT_VRF) == vrf) run += 1;
    applyToVrf(vrf, first, run, results + (done as usize));
    done += run;
  }
}

function applyToVrf(vrf: u32, first: usize, run: u32, results: usize): void {
  if (vrf >= MAX_VRFS || vrfExists(vrf) == 0) {
    // A removal finds nothing: the VRF's routes went with it.
    for (let i: u32 = 0; i < run; i++) {
      const nexthop: u32 = load<u32>(first + ((i * RT_SIZE) as usize), RT_NEXTHOP);
      store<u8>(results + (i as usize), (nexthop == 0 ? RESULT_NOT_FOUND : RESULT_NO_VRF) as u8);
    }
    return;
  }
  if (run < SORT_FROM) {
    for (let i: u32 = 0; i < run; i++) store<u8>(results + (i as usize), applyOne(vrf, first + ((i * RT_SIZE) as usize)) as u8);
  } else {
    sortRun(first, run);
    for (let i: u32 = 0; i < run; i++) {
      const number: u32 = load<u32>(BATCH_ORDER + ((i as usize) << 2));
      store<u8>(results + (number as usize), applyOne(vrf, first + ((number * RT_SIZE) as usize)) as u8);
    }
  }
  lpmFlush(vrf);
}

/** Counting sort by the first 16 bits of the prefix into BATCH_ORDER; records of one prefix stay in their order. */
function sortRun(first: usize, run: u32): void {
  memory.fill(BATCH_COUNTS, 0, 0x40000);
  for (let i: u32 = 0; i < run; i++) addTo(countOf(first, i), 1);
  let place: u32 = 0;
  for (let at: usize = BATCH_COUNTS; at != BATCH_COUNTS + 0x40000; at += 4) {
    const count: u32 = load<u32>(at);
    store<u32>(at, place);
    place += count;
  }
  for (let i: u32 = 0; i < run; i++) {
    const at: usize = countOf(first, i);
    const target: u32 = load<u32>(at);
    store<u32>(at, target + 1);
    store<u32>(BATCH_ORDER + ((target as usize) << 2), i);
  }
}

@inline
function countOf(first: usize, number: u32): usize {
  const prefix: u32 = load<u16>(first + ((number * RT_SIZE) as usize), RT_PREFIX); // its first two bytes, network order
  return BATCH_COUNTS + (((((prefix & 0xFF) << 8) | (prefix >> 8)) as usize) << 2);
}

/** Frees the RIB below a node. */
export function routesForget(node: usize): void {
  if (node == 0) return;
  routesForget(load<u32>(node, RN_LEFT) as usize);
  routesForget(load<u32>(node, RN_RIGHT) as usize);
  const nexthop: u32 = load<u32>(node, RN_NEXTHOP);
  if (nexthop != 0) {
    nexthopDropRef(nexthop);
    unstamp(RECORD_ROUTE, node + RN_GENERATION);
  }
  giveNode(node);
}

function applyOne(vrf: u32, record: usize): u32 {
  const prefix: u32 = bswap<u32>(load<u32>(record, RT_PREFIX));
  const length: u32 = load<u8>(record, RT_LENGTH);
  const nexthop: u32 = load<u32>(record, RT_NEXTHOP);
  if (length > 32) return RESULT_MALFORMED;
  if ((<u32>load<u8>(record, RT_FLAGS) & ~RTF_ANNOUNCE) != 0) return RESULT_MALFORMED;
  if ((prefix & ~prefixMask(length)) != 0) return RESULT_HOST_BITS;
  if (nexthop == 0) return withdraw(vrf, prefix, length);
  if (nexthopExists(nexthop) == 0) return RESULT_NO_NEXTHOP;
  return install(vrf, prefix, length, nexthop, load<u8>(record, RT_FLAGS));
}

function install(vrf: u32, prefix: u32, length: u32, nexthop: u32, flags: u32): u32 {
  if (lpmAccepts(vrf) == 0 || ribRoom() < 2) {
    // Full, but what is there already may be confirmed.
    const present: usize = ribFind(vrf, prefix, length);
    if (present == 0) return RESULT_TABLE_FULL;
    if (load<u32>(present, RN_NEXTHOP) != nexthop) return RESULT_TABLE_FULL;
  }
  const at: usize = vrfAt(vrf);
  const route: usize = ribInsert(vrf, prefix, length);
  const former: u32 = load<u32>(route, RN_NEXTHOP);
  if (former == 0) stampNew(RECORD_ROUTE, route + RN_GENERATION);
  else stamp(RECORD_ROUTE, route + RN_GENERATION);
  if ((flags & RTF_ANNOUNCE) != 0) {
    if (former == 0 || (<u32>load<u8>(route, RN_FLAGS) & RTF_ANNOUNCE) == 0) announce(vrf, prefix);
  }
  store<u8>(route, flags as u8, RN_FLAGS);
  if (former == nexthop) return RESULT_OK;
  const wide: u32 = nexthop >= DIR24_MAX_NH ? 1 : 0;
  nexthopAddRef(nexthop);
  store<u32>(route, nexthop, RN_NEXTHOP);
  if (former == 0) addTo(at + VRF_ROUTES, 1);
  else nexthopDropRef(former);
  addTo(at + VRF_WIDE, wide - (former >= DIR24_MAX_NH ? 1 : 0));
  lpmChange(vrf, prefix, length, leafOf(route), wide);
  return RESULT_OK;
}

function withdraw(vrf: u32, prefix: u32, length: u32): u32 {
  const route: usize = ribFind(vrf, prefix, length);
  if (route == 0) return RESULT_NOT_FOUND;
  if (lpmAccepts(vrf) == 0) return RESULT_TABLE_FULL;
  const at: usize = vrfAt(vrf);
  const former: u32 = load<u32>(route, RN_NEXTHOP);
  const cover: usize = ribCover(vrf, prefix, length);
  unstamp(RECORD_ROUTE, route + RN_GENERATION);
  nexthopDropRef(former);
  ribRemove(vrf, prefix, length);
  addTo(at + VRF_ROUTES, 0xFFFFFFFF);
  if (former >= DIR24_MAX_NH) addTo(at + VRF_WIDE, 0xFFFFFFFF);
  lpmChange(vrf, prefix, length, cover == 0 ? 0 : leafOf(cover), 0);
  return RESULT_OK;
}

function announce(vrf: u32, prefix: u32): void {
  const count: u32 = load<u32>(ANNOUNCED);
  if (count == MAX_ANNOUNCED) return;
  const entry: usize = ANNOUNCED + 4 + ((count as usize) << 3);
  store<u32>(entry, bswap<u32>(prefix));
  store<u32>(entry, vrf, 4);
  store<u32>(ANNOUNCED, count + 1);
}
