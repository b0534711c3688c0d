/** Range tables (ranges.ts): lines and windows from the RIB. */
import { heapBlockSize, heapClass, heapGive, heapGiveRun, heapRunPages, heapTake, heapTakeRun } from './heap';
import { leafOf } from './poptrie';
import { RL_LEAVES, RL_LINES, RL_LINK, RL_LOW, RL_OUTER_STARTS, RL_SHIFT, RL_STARTS, RL_WINDOW } from './ranges';
import { prefixMask, RN_LEFT, RN_LENGTH, RN_NEXTHOP, RN_PREFIX, RN_RIGHT } from './rib';
import { addTo, RANGE_LEAVES, RANGE_STARTS, W_BUILD_BYTES, W_INHERITED } from './writer';

export const LINE_SIZE: u32 = 64;
const LINE_RANGES: u32 = 8;
const OUTER_RANGES: u32 = 5;
const NO_RANGE: u32 = 0xFFFFFFFF; // start of a range that is not there
/** A prefix length that no route has: nothing is left out. */
const NOTHING: u32 = 33;
const MAX_BITS: u32 = 15;
const HEAP_PAGE_SHIFT: u32 = 16;

/** Lines of a window: about as many as routes, as long as a quarter of them has something to say. */
function windowBits(route: usize, length: u32): u32 {
  const routes: u32 = countRoutes(route);
  const most: u32 = min<u32>(32 - length, MAX_BITS);
  let bits: u32 = 1;
  while (bits < most && ((3 as u32) << bits) < routes * 2) bits += 1;
  while (bits > 1 && occupied(route, length + bits) << 2 < (1 as u32) << bits) bits -= 1;
  return bits;
}

/**
 * The whole table of a RIB: a window over all addresses. Leaves log2 of its lines in W_INHERITED, its size in W_BUILD_BYTES.
 * The caller has made sure of the memory.
 */
export function rangesBuild(root: usize): usize {
  store<u32>(W_BUILD_BYTES, 0);
  const window: usize = takeWindow(windowBits(root, 0));
  const bits: u32 = ctz<u32>(blockSize(window) / LINE_SIZE);
  store<u32>(W_BUILD_BYTES, LINE_SIZE << bits);
  fillWindow(window, root, 0, 0, bits);
  store<u32>(W_INHERITED, bits);
  return window;
}

/** Writes the line of a block of addresses, and makes its window where it needs one. Adds to W_BUILD_BYTES. */
export function rangesBuildLine(line: usize, root: usize, low: u32, length: u32): void {
  const count: u32 = collect(root, low, length, 0, NOTHING, LINE_RANGES);
  if (count <= LINE_RANGES) {
    writeRanges(line + RL_STARTS, line + RL_LEAVES, count, LINE_RANGES);
    store<u32>(line, 0, RL_LINK);
    return;
  }
  const top: usize = crowded(root, low, length);
  const windowLow: u32 = load<u32>(top, RN_PREFIX);
  const windowLength: u32 = load<u8>(top, RN_LENGTH);
  const window: usize = takeWindow(windowBits(top, windowLength));
  const lines: u32 = blockSize(window) / LINE_SIZE;
  const bits: u32 = ctz<u32>(lines);
  rangesBeside(line, root, low, length, windowLow, windowLength);
  store<u32>(line, windowLow, RL_LOW);
  store<u32>(line, lines, RL_LINES);
  store<u32>(line, 32 - windowLength - bits, RL_SHIFT);
  store<u32>(line, (window as u32) | RL_WINDOW, RL_LINK);
  addTo(W_BUILD_BYTES, lines * LINE_SIZE);
  fillWindow(window, root, windowLow, windowLength, bits);
}

/** Writes what a line has beside its window; 0 when that is too much for one line. */
export function rangesBeside(line: usize, root: usize, low: u32, length: u32, windowLow: u32, windowLength: u32): u32 {
  const count: u32 = collect(root, low, length, windowLow, windowLength, OUTER_RANGES);
  if (count > OUTER_RANGES) return 0;
  writeRanges(line + RL_OUTER_STARTS, line + RL_LEAVES, count, OUTER_RANGES);
  return 1;
}

/** Bytes of a window and of all windows below it. */
export function rangesBytes(window: usize): u32 {
  let bytes: u32 = blockSize(window);
  const end: usize = window + (bytes as usize);
  for (let line: usize = window; line != end; line += LINE_SIZE as usize) {
    const link: u32 = load<u32>(contentOf(line), RL_LINK);
    if (link != 0) bytes += rangesBytes((link & ~RL_WINDOW) as usize);
  }
  return bytes;
}

/** Where the content of a line stands. */
@inline
export function contentOf(line: usize): usize {
  const link: u32 = load<u32>(line, RL_LINK);
  if (link == 0) return line;
  return (link & RL_WINDOW) != 0 ? line : link as usize;
}

/** Gives back a window and all below it. */
export function rangesFree(window: usize): void {
  const end: usize = window + (blockSize(window) as usize);
  for (let line: usize = window; line != end; line += LINE_SIZE as usize) {
    const content: usize = contentOf(line);
    const link: u32 = load<u32>(content, RL_LINK);
    if (link != 0) rangesFree((link & ~RL_WINDOW) as usize);
    if (content != line) heapGive(content);
  }
  if (heapRunPages(window) != 0) heapGiveRun(window);
  else heapGive(window);
}

function fillWindow(window: usize, root: usize, low: u32, length: u32, bits: u32): void {
  const step: u32 = 32 - length - bits;
  for (let i: u32 = 0; i < (1 as u32) << bits; i++) {
    rangesBuildLine(window + ((i * LINE_SIZE) as usize), root, low + (i << step), length + bits);
  }
}

/** Memory for 2^bits lines, or for fewer when there is no such piece any more. */
function takeWindow(bits: u32): usize {
  let size: u32 = LINE_SIZE << bits;
  while (true) {
    const block: usize = (size >> HEAP_PAGE_SHIFT) == 0 ? heapTake(heapClass(size, 1)) : heapTakeRun(size >> HEAP_PAGE_SHIFT);
    if (block != 0) return block;
    size >>= 1;
  }
}

function blockSize(block: usize): u32 {
  const pages: u32 = heapRunPages(block);
  return pages != 0 ? pages << HEAP_PAGE_SHIFT : heapBlockSize(block);
}

// ---- ranges out of the RIB -----------------------------------------------------------------------------------------------
/** The RIB node that covers all routes inside of a block, 0 = there are none; the result of what is shorter is left in W_INHERITED. */
function within(root: usize, low: u32, length: u32): usize {
  let leaf: u32 = 0;
  let route: usize = root;
  while (route != 0) {
    const routeLength: u32 = load<u8>(route, RN_LENGTH);
    const differs: u32 = low ^ load<u32>(route, RN_PREFIX);
    if (routeLength >= length) {
      if ((differs & prefixMask(length)) != 0) route = 0;
      break;
    }
    if ((differs & prefixMask(routeLength)) != 0) {
      route = 0;
      break;
    }
    if (load<u32>(route, RN_NEXTHOP) != 0) leaf = leafOf(route);
    route = load<u32>(route + ((((low << routeLength) >> 31) as usize) << 2), RN_LEFT) as usize;
  }
  store<u32>(W_INHERITED, leaf);
  return route;
}

/**
 * Writes the ranges of a block to RANGE_STARTS and RANGE_LEAVES, leaving out what lies within one prefix. Returns how many
 * there are; beyond `limit` it gives up.
 */
function collect(root: usize, low: u32, length: u32, exceptLow: u32, exceptLength: u32, limit: u32): u32 {
  const route: usize = within(root, low, length);
  const leaf: u32 = load<u32>(W_INHERITED);
  const count: u32 = boundary(low, leaf, 0);
  if (route == 0) return count;
  return walk(route, leaf, count, low | ~prefixMask(length), exceptLow, exceptLength, limit + 1);
}

function walk(route: usize, outer: u32, before: u32, last: u32, exceptLow: u32, exceptLength: u32, limit: u32): u32 {
  let count: u32 = before;
  if (count > limit) return count;
  const prefix: u32 = load<u32>(route, RN_PREFIX);
  const length: u32 = load<u8>(route, RN_LENGTH);
  if (length >= exceptLength) {
    if (((prefix ^ exceptLow) & prefixMask(exceptLength)) == 0) return count;
  }
  const inner: u32 = load<u32>(route, RN_NEXTHOP) != 0 ? leafOf(route) : outer;
  if (inner != outer) count = boundary(prefix, inner, count);
  const left: u32 = load<u32>(route, RN_LEFT);
  const right: u32 = load<u32>(route, RN_RIGHT);
  if (left != 0) count = walk(left as usize, inner, count, last, exceptLow, exceptLength, limit);
  if (right != 0) count = walk(right as usize, inner, count, last, exceptLow, exceptLength, limit);
  if (inner != outer && count <= limit) {
    const end: u32 = prefix | ~prefixMask(length);
    if (end != last) count = boundary(end + 1, outer, count);
  }
  return count;
}

/**
 * A range begins; of two that begin at the same address the later one counts. Neighbours with the same result stay apart, so that
 * a line never stands for many routes, whose every change would walk over them all.
 */
function boundary(start: u32, leaf: u32, before: u32): u32 {
  let count: u32 = before;
  if (count != 0) {
    if (load<u32>(RANGE_STARTS + (((count - 1) as usize) << 2)) == start) count -= 1;
  }
  store<u32>(RANGE_STARTS + ((count as usize) << 2), start);
  store<u32>(RANGE_LEAVES + ((count as usize) << 2), leaf);
  return count + 1;
}

function writeRanges(starts: usize, leaves: usize, count: u32, places: u32): void {
  for (let i: u32 = 0; i < places; i++) {
    const at: usize = (i as usize) << 2;
    const from: usize = ((i < count ? i : count - 1) as usize) << 2;
    if (i != 0) store<u32>(starts + at - 4, i < count ? load<u32>(RANGE_STARTS + from) : NO_RANGE);
    store<u32>(leaves + at, load<u32>(RANGE_LEAVES + from));
  }
}

// ---- where a window goes -------------------------------------------------------------------------------------------------
/** The longest prefix that leaves so little of a block beside it that the rest fits into the line. */
function crowded(root: usize, low: u32, length: u32): usize {
  let top: usize = within(root, low, length);
  while (true) {
    const left: usize = load<u32>(top, RN_LEFT) as usize;
    const right: usize = load<u32>(top, RN_RIGHT) as usize;
    const besideLeft: u32 = rangesWithout(root, low, length, left);
    const besideRight: u32 = rangesWithout(root, low, length, right);
    if (besideLeft <= besideRight) {
      if (besideLeft > OUTER_RANGES) return top;
      top = left;
    } else {
      if (besideRight > OUTER_RANGES) return top;
      top = right;
    }
  }
}

function rangesWithout(root: usize, low: u32, length: u32, route: usize): u32 {
  if (route == 0) return OUTER_RANGES + 1;
  return collect(root, low, length, load<u32>(route, RN_PREFIX), load<u8>(route, RN_LENGTH), OUTER_RANGES);
}

function countRoutes(route: usize): u32 {
  if (route == 0) return 0;
  const own: u32 = load<u32>(route, RN_NEXTHOP) != 0 ? 1 : 0;
  return own + countRoutes(load<u32>(route, RN_LEFT) as usize) + countRoutes(load<u32>(route, RN_RIGHT) as usize);
}

/** How many blocks of that prefix length have a longer route in them. */
function occupied(route: usize, length: u32): u32 {
  if (route == 0) return 0;
  const own: u32 = load<u8>(route, RN_LENGTH);
  const left: usize = load<u32>(route, RN_LEFT) as usize;
  const right: usize = load<u32>(route, RN_RIGHT) as usize;
  if (own > length) return 1;
  if (own == length) return left + right != 0 ? 1 : 0;
  return occupied(left, length) + occupied(right, length);
}
