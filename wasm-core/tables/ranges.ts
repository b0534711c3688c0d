/**
 * Range tables: longest prefix match for VRFs with few routes, most of them in one cache line. The reader; ranges-writer.ts has the writer.
 *
 * As in DXR (Zec, Rizzo, Mikuc, 2012) an address leads to a short list of ranges in order, each with its result. Here the list is
 * the entry itself: a table ("window") is an array of 64-byte lines, each for a block of 2^shift addresses, with up to eight ranges in
 * it. Where a block has more, its line keeps up to five ranges and has a window of its own for the crowded part in their midst.
 *
 *   link = 0         starts of ranges 1..7 | results of ranges 0..7                          (range 0 begins with the block)
 *   link = window|1  low, lines, shift of the window | starts of ranges 1..4 | results of ranges 0..4, for addresses beside it
 *   link = line      what belongs here stands in that line, until this one may be written again
 *
 * So one store of a link changes a whole line. Addresses are host order, results are LEAF_*.
 */
export const RL_LINK: usize = 0; // u32
export const RL_STARTS: usize = 4; // u32 x 7
export const RL_LEAVES: usize = 32; // u32 x 8
/** Set in a link that names a window. */
export const RL_WINDOW: u32 = 1;
/** First address of the window, its lines, and the bits of an address within one of them. */
export const RL_LOW: usize = 4; // u32
export const RL_LINES: usize = 8; // u32
export const RL_SHIFT: usize = 12; // u32
export const RL_OUTER_STARTS: usize = 16; // u32 x 4

/** Line of a window of 2^(32 - shift) lines that covers all addresses. The key is an address in host order. */
@inline
export function rangeLine(base: usize, shift: u32, key: u32): usize {
  return base + (((key >> shift) as usize) << 6);
}

/** Result (LEAF_*, 0 = no route) for a key in its line. */
@inline
export function rangeLeaf(first: usize, key: u32): u32 {
  let line: usize = first;
  // The content of a line may be read only after its link.
  let link: u32 = atomic.load<u32>(line);
  while (link != 0) {
    if ((link & RL_WINDOW) == 0) {
      line = link as usize;
    } else {
      const place: u32 = (key - load<u32>(line, RL_LOW)) >> load<u32>(line, RL_SHIFT);
      if (place >= load<u32>(line, RL_LINES)) {
        const beside: u32 = i32x4.bitmask(i32x4.ge_u(i32x4.splat(key as i32), v128.load(line, RL_OUTER_STARTS))) as u32;
        return load<u32>(line + ((popcnt<u32>(beside) as usize) << 2), RL_LEAVES);
      }
      line = ((link & ~RL_WINDOW) as usize) + ((place as usize) << 6);
    }
    link = atomic.load<u32>(line);
  }
  const keys: v128 = i32x4.splat(key as i32);
  const lower: u32 = i32x4.bitmask(i32x4.ge_u(keys, v128.load(line))) as u32;
  const upper: u32 = i32x4.bitmask(i32x4.ge_u(keys, v128.load(line, 16))) as u32;
  // Bit 0 belongs to the link, which a writer may have changed by now.
  return load<u32>(line + ((popcnt<u32>(lower | (upper << 4) | 1) as usize) << 2), RL_LEAVES - 4);
}
