/**
 * Packs live records into COMMAND: for snapshots and shows as they are, for sweeps those of an older generation as deletions.
 * One call packs a bounded number and looks at a bounded number of routes, so that it never holds the control instance for long.
 */
import {
  COMMAND, COMMAND_SIZE, ECMP_MAX_SLOTS, FR_DIRECTION, FR_GENERATION, IF_GENERATION, IF_PARENT, LABELS, MAX_INTERFACES, MAX_LABELS, MAX_NEXTHOPS, MAX_VRFS,
  MIN_LABEL, NH_AUX, NH_KIND, NHK_ECMP, VRF_GENERATION,
} from '../layout';
import {
  EC_MEMBER, EC_NEXTHOP, EC_SIZE, EC_SLOT, FL_DIRECTION, FL_SIZE, IX_KIND, IX_SIZE, LB_LABEL, LB_NEXTHOP, LB_SIZE, NX_KIND, NX_SIZE, RECORD_ECMP,
  RECORD_FLOATING_IP, RECORD_INTERFACE, RECORD_LABEL, RECORD_NEXTHOP, RECORD_ROUTE, RECORD_VRF, RT_FLAGS, RT_LENGTH, RT_NEXTHOP, RT_PREFIX, RT_SIZE, RT_VRF,
  VR_DELETE, VR_KIND, VR_SIZE,
} from '../records';
import { fipPack, fipRecordAt } from './fip-writer';
import { interfaceAt, interfaceExists, interfacePack } from './interface';
import { ecmpBase, ecmpSlots, nexthopAt } from './nexthop';
import { nexthopExists, nexthopPack } from './nexthop-writer';
import { prefixMask, ribRoot, RN_FLAGS, RN_GENERATION, RN_LEFT, RN_LENGTH, RN_NEXTHOP, RN_PREFIX, RN_RIGHT } from './rib';
import { vrfAt, vrfExists, vrfPack } from './vrf';
import {
  addTo, DRAFT, ECMP_GENERATIONS, generation, LABEL_GENERATIONS, NEXTHOP_GENERATIONS, W_FIP_NEXT,
} from './writer';

/** All as they are, or stale ones as deletions. */
export const PACK_ALL: u32 = 0;
export const PACK_STALE: u32 = 1;

/** Records that one call packs, and RIB nodes that it looks at, at most (but for those of one address). */
export const PIECE: u32 = 16384;
export const PIECE_VISITS: u32 = 65536;

/** Words of a pack under way: records in COMMAND, RIB nodes seen and the address of the last one, where the next pack goes on. */
const PACKED: usize = DRAFT + 64;
const VISITS: usize = DRAFT + 68;
const CURSOR: usize = DRAFT + 72;
const SEEN: usize = DRAFT + 76;

/** Bytes of a record of the kind, 0 when there is no such kind. */
export function recordSize(kind: u32): u32 {
  if (kind == RECORD_ROUTE) return RT_SIZE;
  if (kind == RECORD_NEXTHOP) return NX_SIZE;
  if (kind == RECORD_ECMP) return EC_SIZE;
  if (kind == RECORD_LABEL) return LB_SIZE;
  if (kind == RECORD_FLOATING_IP) return FL_SIZE;
  if (kind == RECORD_INTERFACE) return IX_SIZE;
  return kind == RECORD_VRF ? VR_SIZE : 0;
}

/** Packs from the cursor on, as many as COMMAND takes. Returns their count; `packCursor()` is where to go on. */
export function pack(kind: u32, vrf: u32, cursor: u32, mode: u32): u32 {
  const size: u32 = recordSize(kind);
  store<u32>(PACKED, 0);
  store<u32>(CURSOR, 0);
  store<u32>(VISITS, 0);
  if (size == 0) return 0;
  const limit: u32 = min<u32>(PIECE, COMMAND_SIZE / size);
  if (kind == RECORD_ROUTE) {
    if (vrf >= MAX_VRFS) return 0;
    store<u32>(SEEN, cursor);
    const root: usize = ribRoot(vrf);
    if (root != 0) packRoutes(vrf, root, cursor, limit, mode);
  } else if (kind == RECORD_NEXTHOP) packNexthops(cursor, limit, mode);
  else if (kind == RECORD_ECMP) packEcmp(cursor, limit, mode);
  else if (kind == RECORD_LABEL) packLabels(cursor, limit, mode);
  else if (kind == RECORD_FLOATING_IP) packFips(cursor, limit, mode);
  else if (kind == RECORD_INTERFACE) packInterfaces(cursor, limit, mode);
  else packVrfs(cursor, limit, mode);
  return load<u32>(PACKED);
}

@inline
export function packCursor(): u32 {
  return load<u32>(CURSOR);
}

/** RIB nodes that the last pack looked at. */
@inline
export function packVisits(): u32 {
  return load<u32>(VISITS);
}

@inline
function isWanted(mark: usize, mode: u32): u32 {
  if (mode == PACK_ALL) return 1;
  return <u32>load<u8>(mark) != generation() ? 1 : 0;
}

/** Place of the next record. */
@inline
function take(size: u32): usize {
  const packed: u32 = load<u32>(PACKED);
  store<u32>(PACKED, packed + 1);
  return COMMAND + ((packed * size) as usize);
}

/** 1 when COMMAND is full; the pack goes on at `cursor` another time. */
@inline
function isFull(limit: u32, cursor: u32): u32 {
  if (load<u32>(PACKED) < limit) return 0;
  store<u32>(CURSOR, cursor);
  return 1;
}

/**
 * In order of prefixes, the shorter first. The cursor is a prefix: whatever changed since, what lies before it was seen. Routes of one
 * prefix go together (33 at most, for which COMMAND has room). Returns 0 when it is enough.
 */
function packRoutes(vrf: u32, node: usize, cursor: u32, limit: u32, mode: u32): u32 {
  const prefix: u32 = load<u32>(node, RN_PREFIX);
  const length: u32 = load<u8>(node, RN_LENGTH);
  if ((prefix | ~prefixMask(length)) < cursor) return 1;
  if (prefix >= cursor) {
    if (prefix != load<u32>(SEEN)) {
      if (load<u32>(PACKED) >= limit || load<u32>(VISITS) >= PIECE_VISITS) {
        store<u32>(CURSOR, prefix);
        return 0;
      }
      store<u32>(SEEN, prefix);
    }
    addTo(VISITS, 1);
    if (load<u32>(node, RN_NEXTHOP) != 0) {
      if (isWanted(node + RN_GENERATION, mode) != 0) packRoute(vrf, node, take(RT_SIZE), mode);
    }
  }
  const left: usize = load<u32>(node, RN_LEFT) as usize;
  const right: usize = load<u32>(node, RN_RIGHT) as usize;
  if (left != 0) {
    if (packRoutes(vrf, left, cursor, limit, mode) == 0) return 0;
  }
  if (right != 0) return packRoutes(vrf, right, cursor, limit, mode);
  return 1;
}

function packRoute(vrf: u32, node: usize, record: usize, mode: u32): void {
  store<u32>(record, vrf, RT_VRF);
  store<u32>(record, bswap<u32>(load<u32>(node, RN_PREFIX)), RT_PREFIX);
  store<u32>(record, mode == PACK_ALL ? load<u32>(node, RN_NEXTHOP) : 0, RT_NEXTHOP);
  store<u32>(record, 0, RT_LENGTH);
  store<u8>(record, load<u8>(node, RN_LENGTH), RT_LENGTH);
  store<u8>(record, load<u8>(node, RN_FLAGS), RT_FLAGS);
}

function packNexthops(cursor: u32, limit: u32, mode: u32): void {
  for (let id: u32 = cursor; id < MAX_NEXTHOPS; id++) {
    if (nexthopExists(id) == 0) continue;
    if (isWanted(NEXTHOP_GENERATIONS + (id as usize), mode) == 0) continue;
    if (isFull(limit, id) != 0) return;
    const record: usize = take(NX_SIZE);
    nexthopPack(id, record);
    if (mode == PACK_STALE) store<u8>(record, 0, NX_KIND);
  }
}

/** Members that are not place-holders; the cursor is a group's id, and groups are packed whole. */
function packEcmp(cursor: u32, limit: u32, mode: u32): void {
  for (let id: u32 = cursor; id < MAX_NEXTHOPS; id++) {
    if (<u32>load<u8>(nexthopAt(id), NH_KIND) != NHK_ECMP) continue;
    if (isFull(limit - ECMP_MAX_SLOTS, id) != 0) return;
    const aux: u32 = load<u32>(nexthopAt(id), NH_AUX);
    const slots: u32 = ecmpSlots(aux);
    for (let slot: u32 = 0; slot < slots; slot++) {
      const member: u32 = load<u32>(ecmpBase(aux) + ((slot as usize) << 2));
      if (member == 0) continue;
      if (isWanted(ECMP_GENERATIONS + (((aux & 0x00FFFFFF) as usize) << 2) + (slot as usize), mode) == 0) continue;
      const record: usize = take(EC_SIZE);
      store<u32>(record, id, EC_NEXTHOP);
      store<u32>(record, slot, EC_SLOT);
      store<u32>(record, mode == PACK_ALL ? member : 0, EC_MEMBER);
    }
  }
}

function packLabels(cursor: u32, limit: u32, mode: u32): void {
  for (let label: u32 = cursor < MIN_LABEL ? MIN_LABEL : cursor; label < MAX_LABELS; label++) {
    const nexthop: u32 = load<u32>((label as usize) << 2, LABELS);
    if (nexthop == 0) continue;
    if (isWanted(LABEL_GENERATIONS + (label as usize), mode) == 0) continue;
    if (isFull(limit, label) != 0) return;
    const record: usize = take(LB_SIZE);
    store<u32>(record, label, LB_LABEL);
    store<u32>(record, mode == PACK_ALL ? nexthop : 0, LB_NEXTHOP);
  }
}

function packFips(cursor: u32, limit: u32, mode: u32): void {
  const end: u32 = load<u32>(W_FIP_NEXT);
  for (let index: u32 = cursor; index < end; index++) {
    const at: usize = fipRecordAt(index);
    if (<u32>load<u8>(at, FR_GENERATION) == 0) continue; // free, or waiting for the readers
    if (<u32>load<u8>(at, FR_DIRECTION) == 0) continue;
    if (isWanted(at + FR_GENERATION, mode) == 0) continue;
    if (isFull(limit, index) != 0) return;
    const record: usize = take(FL_SIZE);
    fipPack(at, record);
    if (mode == PACK_STALE) store<u8>(record, 0, FL_DIRECTION);
  }
}

/** Those that carry others first: the cursor counts twice through the ids. */
function packInterfaces(cursor: u32, limit: u32, mode: u32): void {
  for (let step: u32 = cursor; step < 2 * MAX_INTERFACES; step++) {
    const id: u32 = step & (MAX_INTERFACES - 1);
    if (interfaceExists(id) == 0) continue;
    const isSub: u32 = <u32>load<u16>(interfaceAt(id), IF_PARENT) != 0 ? 1 : 0;
    if (isSub != (step >= MAX_INTERFACES ? 1 : 0)) continue;
    if (isWanted(interfaceAt(id) + IF_GENERATION, mode) == 0) continue;
    if (isFull(limit, step) != 0) return;
    const record: usize = take(IX_SIZE);
    interfacePack(id, record);
    if (mode == PACK_STALE) store<u8>(record, 0, IX_KIND);
  }
}

function packVrfs(cursor: u32, limit: u32, mode: u32): void {
  for (let id: u32 = cursor; id < MAX_VRFS; id++) {
    if (vrfExists(id) == 0) continue;
    if (isWanted(vrfAt(id) + VRF_GENERATION, mode) == 0) continue;
    if (isFull(limit, id) != 0) return;
    const record: usize = take(VR_SIZE);
    vrfPack(id, record);
    if (mode == PACK_STALE) store<u8>(record, VR_DELETE as u8, VR_KIND);
  }
}
