/**
 * The trie heap: 1 GiB in pages of 64 KiB. A page holds blocks of one class, or is part of a run for a large direct table.
 *
 * Classes 0..31 are leaf blocks of 8, 16 .. 256 bytes; classes 32..95 are node blocks of 32, 64 .. 2048 bytes, aligned to 32; classes
 * 96..99 are 4, 8, 16 and 32 KiB. A block of a power of two is aligned to its size.
 * A page whose last block comes back is free for any class, so memory moves between them. A block's class is its page's.
 */
import { TRIE_HEAP, TRIE_HEAP_SIZE } from '../layout';
import { addTo, HEAP_PAGES, W_HEAP_BYTES, W_HEAP_CLASSES, W_PAGE_HINT, W_PAGES_FREE } from './writer';

const PAGE_SHIFT: usize = 16;
const PAGE_SIZE: u32 = 65536;
const PAGES: u32 = (TRIE_HEAP_SIZE >> 16) as u32;
const NODE_CLASSES: u32 = 32;
const LARGE_CLASSES: u32 = 96;
const LARGE_SIZE: u32 = 4096; // of the first of them

const P_CLASS: usize = 0; // u16: class + 1, 0 = free, PAGE_RUN = first page of a run, PAGE_REST = another one
const P_USED: usize = 2; // u16 blocks handed out
const P_CARVED: usize = 4; // u16 blocks ever handed out since the page was taken
const P_RUN: usize = 6; // u16 pages in the run
const P_FREE: usize = 8; // u32 address of the first free block, 0 = none
const P_NEXT: usize = 12; // u16 page + 1 of the next page of this class with room
const P_PREVIOUS: usize = 14; // u16
const PAGE_RUN: u32 = 0xFFFE;
const PAGE_REST: u32 = 0xFFFF;

export function heapInit(): void {
  store<u32>(W_PAGES_FREE, PAGES);
}

/** Class of a block of `bytes`, 32 KiB at most, which holds nodes or only leaves. */
@inline
export function heapClass(bytes: u32, hasNodes: u32): u32 {
  if (bytes > LARGE_SIZE >> 1) return LARGE_CLASSES + 32 - clz<u32>((bytes - 1) / LARGE_SIZE);
  if (hasNodes != 0) return NODE_CLASSES - 1 + ((bytes + 31) >> 5);
  return ((bytes + 7) >> 3) - 1;
}

@inline
export function heapClassSize(blockClass: u32): u32 {
  if (blockClass >= LARGE_CLASSES) return LARGE_SIZE << (blockClass - LARGE_CLASSES);
  return blockClass < NODE_CLASSES ? (blockClass + 1) << 3 : (blockClass - NODE_CLASSES + 1) << 5;
}

@inline
function pageAt(page: u32): usize {
  return HEAP_PAGES + ((page as usize) << 4);
}

@inline
function listAt(blockClass: u32): usize {
  return W_HEAP_CLASSES + ((blockClass as usize) << 1);
}

/** A block of the class; 0 when the heap is full. Its content is undefined. */
export function heapTake(blockClass: u32): usize {
  let listed: u32 = load<u16>(listAt(blockClass));
  if (listed == 0) {
    const fresh: u32 = takePage();
    if (fresh == PAGES) return 0;
    const at: usize = pageAt(fresh);
    memory.fill(at, 0, 16);
    store<u16>(at, (blockClass + 1) as u16, P_CLASS);
    link(fresh, blockClass);
    listed = fresh + 1;
  }
  const page: u32 = listed - 1;
  const at: usize = pageAt(page);
  const size: u32 = heapClassSize(blockClass);
  let block: usize = load<u32>(at, P_FREE) as usize;
  if (block != 0) {
    store<u32>(at, load<u32>(block), P_FREE);
  } else {
    const carved: u32 = load<u16>(at, P_CARVED);
    block = TRIE_HEAP + ((page as usize) << PAGE_SHIFT) + ((carved * size) as usize);
    store<u16>(at, (carved + 1) as u16, P_CARVED);
  }
  const used: u32 = <u32>load<u16>(at, P_USED) + 1;
  store<u16>(at, used as u16, P_USED);
  if (used == PAGE_SIZE / size) unlink(page, blockClass);
  addTo(W_HEAP_BYTES, size);
  return block;
}

/** Gives a block back. */
export function heapGive(block: usize): void {
  const page: u32 = ((block - TRIE_HEAP) >> PAGE_SHIFT) as u32;
  const at: usize = pageAt(page);
  const blockClass: u32 = <u32>load<u16>(at, P_CLASS) - 1;
  const size: u32 = heapClassSize(blockClass);
  const used: u32 = load<u16>(at, P_USED);
  store<u32>(block, load<u32>(at, P_FREE));
  store<u32>(at, block as u32, P_FREE);
  store<u16>(at, (used - 1) as u16, P_USED);
  if (used == PAGE_SIZE / size) link(page, blockClass);
  if (used == 1) {
    unlink(page, blockClass);
    store<u16>(at, 0, P_CLASS);
    store<u32>(W_PAGE_HINT, page); // the next one to be taken: its memory is there already
    addTo(W_PAGES_FREE, 1);
  }
  addTo(W_HEAP_BYTES, 0 - size);
}

/** A run of whole pages, 0 when there is none. Runs are taken from the upper end, pages for blocks from the lower one. */
export function heapTakeRun(pages: u32): usize {
  let found: u32 = 0;
  for (let page: u32 = PAGES; page != 0; page--) {
    found = <u32>load<u16>(pageAt(page - 1), P_CLASS) == 0 ? found + 1 : 0;
    if (found != pages) continue;
    const first: u32 = page - 1;
    for (let rest: u32 = 0; rest < pages; rest++) store<u16>(pageAt(first + rest), PAGE_REST as u16, P_CLASS);
    store<u16>(pageAt(first), PAGE_RUN as u16, P_CLASS);
    store<u16>(pageAt(first), pages as u16, P_RUN);
    addTo(W_PAGES_FREE, 0 - pages);
    addTo(W_HEAP_BYTES, pages << 16);
    return TRIE_HEAP + ((first as usize) << PAGE_SHIFT);
  }
  return 0;
}

export function heapGiveRun(run: usize): void {
  const first: u32 = ((run - TRIE_HEAP) >> PAGE_SHIFT) as u32;
  const pages: u32 = load<u16>(pageAt(first), P_RUN);
  for (let rest: u32 = 0; rest < pages; rest++) store<u16>(pageAt(first + rest), 0, P_CLASS);
  addTo(W_PAGES_FREE, pages);
  addTo(W_HEAP_BYTES, 0 - (pages << 16));
}

/** Pages of the run that begins at this address, 0 when it is a block. */
export function heapRunPages(address: usize): u32 {
  const at: usize = pageAt(((address - TRIE_HEAP) >> PAGE_SHIFT) as u32);
  return <u32>load<u16>(at, P_CLASS) == PAGE_RUN ? <u32>load<u16>(at, P_RUN) : 0;
}

/** Size of the block at this address. */
export function heapBlockSize(block: usize): u32 {
  return heapClassSize(<u32>load<u16>(pageAt(((block - TRIE_HEAP) >> PAGE_SHIFT) as u32), P_CLASS) - 1);
}

function takePage(): u32 {
  if (load<u32>(W_PAGES_FREE) == 0) return PAGES;
  let page: u32 = load<u32>(W_PAGE_HINT);
  for (let step: u32 = 0; step < PAGES; step++) {
    if (page == PAGES) page = 0;
    if (<u32>load<u16>(pageAt(page), P_CLASS) == 0) {
      store<u32>(W_PAGE_HINT, page + 1);
      addTo(W_PAGES_FREE, 0xFFFFFFFF);
      return page;
    }
    page += 1;
  }
  return PAGES;
}

function link(page: u32, blockClass: u32): void {
  const at: usize = pageAt(page);
  const first: u32 = load<u16>(listAt(blockClass));
  store<u16>(at, first as u16, P_NEXT);
  store<u16>(at, 0, P_PREVIOUS);
  if (first != 0) store<u16>(pageAt(first - 1), (page + 1) as u16, P_PREVIOUS);
  store<u16>(listAt(blockClass), (page + 1) as u16);
}

function unlink(page: u32, blockClass: u32): void {
  const at: usize = pageAt(page);
  const next: u32 = load<u16>(at, P_NEXT);
  const previous: u32 = load<u16>(at, P_PREVIOUS);
  if (previous != 0) store<u16>(pageAt(previous - 1), next as u16, P_NEXT);
  else store<u16>(listAt(blockClass), next as u16);
  if (next != 0) store<u16>(pageAt(next - 1), previous as u16, P_PREVIOUS);
}
