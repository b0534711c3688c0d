/** VRFs: the writer. Routes are in routes.ts, the lookup table of a VRF in lpm-writer.ts. */
import {
  H_MAX_VRFS, HEADER, LPM_POPTRIE, MAX_VRFS, VRF_FLAGS, VRF_GENERATION, VRF_MSS, VRF_PREFERRED, VRF_REFS, VRF_RIB, VRF_SHIFT, VRFF_EXISTS,
  VRFF_EXTERNAL, VRFF_RPF, VRFS,
} from '../layout';
import {
  RECORD_VRF, RESULT_IN_USE, RESULT_MALFORMED, RESULT_NOT_FOUND, RESULT_OK, RESULT_OUT_OF_RANGE, RESULT_TABLE_FULL, VR_DELETE, VR_FLAGS, VR_ID, VR_KIND, VR_MSS,
} from '../records';
import { limboRoom } from './epoch';
import { lpmDrop, lpmPrefer } from './lpm-writer';
import { routesForget } from './routes';
import { addTo, stamp, stampNew, unstamp } from './writer';

@inline
export function vrfAt(id: u32): usize {
  return VRFS + ((id as usize) << VRF_SHIFT);
}

/** `id` < MAX_VRFS. */
@inline
export function vrfExists(id: u32): u32 {
  return (<u32>load<u8>(vrfAt(id), VRF_FLAGS)) & VRFF_EXISTS;
}

/** What refers to a VRF: interfaces, next hops, floating IPs. */
@inline
export function vrfAddRef(id: u32, amount: u32): void {
  addTo(vrfAt(id) + VRF_REFS, amount);
}

/** Writes one VR record; returns RESULT_*. */
export function vrfApply(record: usize): u32 {
  const id: u32 = load<u32>(record, VR_ID);
  const kind: u32 = load<u8>(record, VR_KIND);
  const flags: u32 = load<u8>(record, VR_FLAGS);
  const limit: u32 = load<u32>(HEADER, H_MAX_VRFS);
  if (id >= MAX_VRFS) return RESULT_OUT_OF_RANGE;
  if (limit != 0) {
    if (id >= limit) return RESULT_OUT_OF_RANGE;
  }
  if (limboRoom() < 1024) return RESULT_TABLE_FULL;
  if (kind == VR_DELETE) return remove(id);
  if (kind > LPM_POPTRIE) return RESULT_MALFORMED;
  if ((flags & ~(VRFF_RPF | VRFF_EXTERNAL)) != 0) return RESULT_MALFORMED;
  const at: usize = vrfAt(id);
  const fresh: u32 = vrfExists(id) == 0 ? 1 : 0;
  store<u16>(at, load<u16>(record, VR_MSS), VRF_MSS);
  store<u8>(at, (flags | VRFF_EXISTS) as u8, VRF_FLAGS);
  if (fresh != 0) {
    store<u8>(at, kind as u8, VRF_PREFERRED);
    stampNew(RECORD_VRF, at + VRF_GENERATION);
    return RESULT_OK;
  }
  stamp(RECORD_VRF, at + VRF_GENERATION);
  if (<u32>load<u8>(at, VRF_PREFERRED) != kind) lpmPrefer(id, kind);
  return RESULT_OK;
}

/** Packs the record that makes this VRF. */
export function vrfPack(id: u32, record: usize): void {
  const at: usize = vrfAt(id);
  memory.fill(record, 0, 12);
  store<u32>(record, id, VR_ID);
  store<u8>(record, load<u8>(at, VRF_PREFERRED), VR_KIND);
  store<u8>(record, (<u32>load<u8>(at, VRF_FLAGS) & (VRFF_RPF | VRFF_EXTERNAL)) as u8, VR_FLAGS);
  store<u16>(record, load<u16>(at, VRF_MSS), VR_MSS);
}

function remove(id: u32): u32 {
  const at: usize = vrfAt(id);
  if (vrfExists(id) == 0) return RESULT_NOT_FOUND;
  if (load<u32>(at, VRF_REFS) != 0) return RESULT_IN_USE;
  lpmDrop(id);
  routesForget(load<u32>(at, VRF_RIB) as usize);
  unstamp(RECORD_VRF, at + VRF_GENERATION);
  memory.fill(at, 0, (1 as usize) << VRF_SHIFT);
  return RESULT_OK;
}
