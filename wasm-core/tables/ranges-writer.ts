/**
 * Range tables (ranges.ts): changes under readers.
 *
 * A route that lies within one block makes its line anew, in a line of its own, to which the old one links by one store. When
 * every reader has passed, nobody looks at the old line any more: it takes over the content, and the other one is given back
 * (`rangesSettle`). A route that covers whole blocks overwrites results in place, one store each, as in a Poptrie.
 */
import { LEAF_LENGTH_SHIFT } from '../layout';
import { LIMBO_BLOCK, LIMBO_LINE, LIMBO_WINDOW, retire } from './epoch';
import { heapClass, heapGive, heapTake } from './heap';
import { DEPTH_MASK } from './lpm';
import { RL_LEAVES, RL_LINES, RL_LINK, RL_LOW, RL_SHIFT, RL_WINDOW } from './ranges';
import { contentOf, LINE_SIZE, rangesBeside, rangesBuildLine, rangesBytes } from './ranges-build';
import { prefixMask } from './rib';
import { fence, W_BUILD_BYTES } from './writer';

/**
 * The RIB below `root` has changed at prefix/length: it leads to `leaf` wherever no longer route does. `window` covers all
 * addresses in lines of 2^shift. Returns by how many bytes the table has grown.
 */
export function rangesChange(window: usize, shift: u32, root: usize, prefix: u32, length: u32, leaf: u32): u32 {
  let lines: usize = window;
  let low: u32 = 0;
  let bits: u32 = shift;
  while (true) {
    const line: usize = lines + ((((prefix - low) >> bits) as usize) << 6);
    const lineLength: u32 = 32 - bits;
    if (length <= lineLength) {
      fence(); // what the leaf leads to comes before the leaf
      patch(line, (1 as u32) << (lineLength - length), length, leaf);
      return 0;
    }
    const content: usize = contentOf(line);
    const link: u32 = load<u32>(content, RL_LINK);
    if (link == 0) return replace(line, content, root, prefix & prefixMask(lineLength), lineLength);
    low = load<u32>(content, RL_LOW);
    bits = load<u32>(content, RL_SHIFT);
    const windowLines: u32 = load<u32>(content, RL_LINES);
    const windowLength: u32 = 32 - bits - ctz<u32>(windowLines);
    lines = (link & ~RL_WINDOW) as usize;
    const shorter: u32 = length < windowLength ? length : windowLength;
    const meets: bool = ((prefix ^ low) & prefixMask(shorter)) == 0;
    if (meets) {
      if (length >= windowLength) continue;
      fence();
      patch(lines, windowLines, length, leaf);
    }
    return replaceBeside(line, content, root, prefix & prefixMask(lineLength), lineLength, low, windowLength);
  }
}

/** No reader looks at the line's own content any more: it takes over what it links to. */
export function rangesSettle(line: usize): void {
  const content: usize = load<u32>(line, RL_LINK) as usize;
  memory.copy(line + 4, content + 4, (LINE_SIZE - 4) as usize);
  atomic.store<u32>(line, load<u32>(content, RL_LINK));
  retire(LIMBO_BLOCK, content as u32, LINE_SIZE);
}

/** Makes the line anew from the RIB. */
function replace(line: usize, content: usize, root: usize, low: u32, length: u32): u32 {
  const fresh: usize = heapTake(heapClass(LINE_SIZE, 1));
  store<u32>(W_BUILD_BYTES, 0);
  rangesBuildLine(fresh, root, low, length);
  let grown: u32 = load<u32>(W_BUILD_BYTES);
  const window: u32 = load<u32>(content, RL_LINK);
  publish(line, content, fresh);
  if (window != 0) {
    const windowBytes: u32 = rangesBytes((window & ~RL_WINDOW) as usize);
    grown -= windowBytes;
    retire(LIMBO_WINDOW, window & ~RL_WINDOW, windowBytes);
  }
  return grown;
}

/** Makes anew what stands in the line beside its window, or all of it where that has become too much. */
function replaceBeside(line: usize, content: usize, root: usize, low: u32, length: u32, windowLow: u32, windowLength: u32): u32 {
  const fresh: usize = heapTake(heapClass(LINE_SIZE, 1));
  memory.copy(fresh, content, LINE_SIZE as usize);
  if (rangesBeside(fresh, root, low, length, windowLow, windowLength) != 0) {
    publish(line, content, fresh);
    return 0;
  }
  heapGive(fresh);
  return replace(line, content, root, low, length);
}

function publish(line: usize, content: usize, fresh: usize): void {
  atomic.store<u32>(line, fresh as u32);
  if (content == line) retire(LIMBO_LINE, line as u32, LINE_SIZE);
  else retire(LIMBO_BLOCK, content as u32, LINE_SIZE);
}

/** Overwrites results of `count` lines wherever no longer route leads elsewhere. */
function patch(first: usize, count: u32, length: u32, leaf: u32): void {
  const end: usize = first + ((count * LINE_SIZE) as usize);
  for (let line: usize = first; line != end; line += LINE_SIZE as usize) {
    const content: usize = contentOf(line);
    const link: u32 = load<u32>(content, RL_LINK);
    let leavesEnd: usize = content + (LINE_SIZE as usize);
    if (link != 0) {
      patch((link & ~RL_WINDOW) as usize, load<u32>(content, RL_LINES), length, leaf);
      leavesEnd = content + RL_LEAVES + 20;
    }
    for (let at: usize = content + RL_LEAVES; at != leavesEnd; at += 4) {
      if (((load<u32>(at) >> LEAF_LENGTH_SHIFT) & DEPTH_MASK) <= length + 1) store<u32>(at, leaf);
    }
  }
}
