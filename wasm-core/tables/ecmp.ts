/**
 * ECMP groups: the writer. A group's members are an array of u32 next-hop ids, 0 = place-holder. One slot changes by one store;
 * several of a batch change together: a new array, one store of NH_AUX, the former array waits for the readers.
 *
 * Arrays hold 4, 8 .. 256 slots; NH_AUX names the array (in units of ECMP_UNIT slots) and the number of slots in use.
 */
import { ECMP, ECMP_SIZE, NH_AUX, NH_KIND, NHK_ECMP } from '../layout';
import {
  EC_MEMBER, EC_NEXTHOP, EC_SIZE, EC_SLOT, RECORD_ECMP, RESULT_MALFORMED, RESULT_NO_NEXTHOP, RESULT_OK, RESULT_OUT_OF_RANGE, RESULT_TABLE_FULL,
} from '../records';
import { limboRoom, LIMBO_ECMP, retire } from './epoch';
import { ecmpBase, ecmpSlots, nexthopAt } from './nexthop';
import { nexthopAddRef, nexthopDropRef, nexthopExists } from './nexthop-writer';
import { ECMP_GENERATIONS, stamp, stampNew, unstamp, W_ECMP_FREE, W_ECMP_NEXT } from './writer';

const NONE: u32 = 0xFFFFFFFF;

/** Slots of the array that a group of so many takes, as a power of two: 2 (4 slots) .. 8 (256). */
@inline
function sizeOf(slots: u32): u32 {
  return slots <= 4 ? 2 : 32 - clz<u32>(slots - 1);
}

@inline
function generationsOf(aux: u32): usize {
  return ECMP_GENERATIONS + (((aux & 0x00FFFFFF) as usize) << 2);
}

/** A group of place-holders, as NH_AUX; 0xFFFFFFFF when there is no room. */
export function ecmpCreate(slots: u32): u32 {
  const size: u32 = sizeOf(slots);
  const bytes: u32 = (4 as u32) << size;
  const list: usize = W_ECMP_FREE + (((size - 2) as usize) << 2);
  const free: u32 = load<u32>(list);
  let unit: u32 = 0;
  if (free != 0) {
    unit = free - 1;
    store<u32>(list, load<u32>(ECMP + ((unit as usize) << 4)));
  } else {
    const next: u32 = load<u32>(W_ECMP_NEXT);
    if (next + bytes > (ECMP_SIZE as u32)) return NONE;
    store<u32>(W_ECMP_NEXT, next + bytes);
    unit = next >> 4;
  }
  const aux: u32 = unit | ((slots - 1) << 24);
  memory.fill(ecmpBase(aux), 0, bytes as usize);
  memory.fill(generationsOf(aux), 0, ((1 as u32) << size) as usize);
  return aux;
}

/** Limbo has let an array go. */
export function ecmpFree(aux: u32): void {
  const list: usize = W_ECMP_FREE + (((sizeOf(ecmpSlots(aux)) - 2) as usize) << 2);
  store<u32>(ecmpBase(aux), load<u32>(list));
  store<u32>(list, (aux & 0x00FFFFFF) + 1);
}

/** Another number of slots; members beyond it leave. */
export function ecmpResize(id: u32, slots: u32): u32 {
  const at: usize = nexthopAt(id);
  const former: u32 = load<u32>(at, NH_AUX);
  const formerSlots: u32 = ecmpSlots(former);
  if (slots == formerSlots) return RESULT_OK;
  const aux: u32 = ecmpCreate(slots);
  if (aux == NONE) return RESULT_TABLE_FULL;
  const kept: u32 = slots < formerSlots ? slots : formerSlots;
  copySlots(aux, former, kept);
  atomic.store<u32>(at + NH_AUX, aux);
  for (let slot: u32 = kept; slot < formerSlots; slot++) dropMember(former, slot);
  retireArray(former);
  return RESULT_OK;
}

/** The group goes; its members are free. */
export function ecmpDestroy(id: u32): void {
  const aux: u32 = load<u32>(nexthopAt(id), NH_AUX);
  const slots: u32 = ecmpSlots(aux);
  for (let slot: u32 = 0; slot < slots; slot++) dropMember(aux, slot);
  retireArray(aux);
}

/** Writes EC records, with a result byte each; neighbours of one group become visible together. */
export function ecmpApply(records: usize, count: u32, results: usize): void {
  let done: u32 = 0;
  while (done < count) {
    const first: usize = records + ((done * EC_SIZE) as usize);
    const group: u32 = load<u32>(first, EC_NEXTHOP);
    let run: u32 = 1;
    while (done + run < count && load<u32>(first + ((run * EC_SIZE) as usize), EC_NEXTHOP) == group) run += 1;
    applyToGroup(group, first, run, results + (done as usize));
    done += run;
  }
}

function applyToGroup(group: u32, first: usize, run: u32, results: usize): void {
  if (nexthopExists(group) == 0 || <u32>load<u8>(nexthopAt(group), NH_KIND) != NHK_ECMP) {
    memory.fill(results, RESULT_NO_NEXTHOP as u8, run as usize);
    return;
  }
  const at: usize = nexthopAt(group);
  const former: u32 = load<u32>(at, NH_AUX);
  let aux: u32 = former;
  if (run > 1) {
    aux = limboRoom() < 1024 ? NONE : ecmpCreate(ecmpSlots(former));
    if (aux == NONE) {
      memory.fill(results, RESULT_TABLE_FULL as u8, run as usize);
      return;
    }
    copySlots(aux, former, ecmpSlots(former));
  }
  for (let i: u32 = 0; i < run; i++) {
    const record: usize = first + ((i * EC_SIZE) as usize);
    store<u8>(results + (i as usize), setMember(aux, load<u32>(record, EC_SLOT), load<u32>(record, EC_MEMBER)) as u8);
  }
  if (aux == former) return;
  atomic.store<u32>(at + NH_AUX, aux);
  retireArray(former);
}

function setMember(aux: u32, slot: u32, member: u32): u32 {
  if (slot >= ecmpSlots(aux)) return RESULT_OUT_OF_RANGE;
  if (member != 0) {
    if (nexthopExists(member) == 0) return RESULT_NO_NEXTHOP;
    if (<u32>load<u8>(nexthopAt(member), NH_KIND) == NHK_ECMP) return RESULT_MALFORMED;
  }
  const at: usize = ecmpBase(aux) + ((slot as usize) << 2);
  const mark: usize = generationsOf(aux) + (slot as usize);
  const former: u32 = load<u32>(at);
  if (former == member) {
    if (member != 0) stamp(RECORD_ECMP, mark);
    return RESULT_OK;
  }
  if (member != 0) nexthopAddRef(member);
  atomic.store<u32>(at, member);
  if (former != 0) {
    nexthopDropRef(former);
    unstamp(RECORD_ECMP, mark);
  }
  if (member != 0) stampNew(RECORD_ECMP, mark);
  return RESULT_OK;
}

function copySlots(to: u32, from: u32, slots: u32): void {
  memory.copy(ecmpBase(to), ecmpBase(from), (slots << 2) as usize);
  memory.copy(generationsOf(to), generationsOf(from), slots as usize);
}

function dropMember(aux: u32, slot: u32): void {
  const member: u32 = load<u32>(ecmpBase(aux) + ((slot as usize) << 2));
  if (member == 0) return;
  nexthopDropRef(member);
  unstamp(RECORD_ECMP, generationsOf(aux) + (slot as usize));
}

function retireArray(aux: u32): void {
  retire(LIMBO_ECMP, aux, (4 as u32) << sizeOf(ecmpSlots(aux)));
}
