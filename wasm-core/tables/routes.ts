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
import { addTo, stamp, stampNew, unstamp } from './writer';

/** Writes RT records, with a result byte each. Changes are live when it returns; ANNOUNCED lists what is to be announced. */
export function routesApply(records: usize, count: u32, results: usize): void {
  store<u32>(ANNOUNCED, 0);
  let vrf: u32 = MAX_VRFS;
  for (let i: u32 = 0; i < count; i++) {
    const record: usize = records + ((i * RT_SIZE) as usize);
    const id: u32 = load<u32>(record, RT_VRF);
    let result: u32 = RESULT_NO_VRF;
    if (id < MAX_VRFS) {
      if (vrfExists(id) != 0) {
        if (id != vrf) {
          if (vrf != MAX_VRFS) lpmFlush(vrf);
          vrf = id;
        }
        result = applyOne(id, record);
      }
    }
    store<u8>(results + (i as usize), result as u8);
  }
  if (vrf != MAX_VRFS) lpmFlush(vrf);
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
