/** Page mappings inside the WebAssembly memory. Nothing here ever unmaps: a hole in V8's memory would be a crash. */
import { check } from './errors.ts';
import type { Libc } from './libc.ts';

const PROT_READ_WRITE = 3;
const MAP_SHARED = 0x01;
const MAP_PRIVATE = 0x02;
const MAP_FIXED = 0x10;
const MAP_ANONYMOUS = 0x20;
const MAP_POPULATE = 0x8000;
const MADV_HUGEPAGE = 14;
export const PAGE = 4096;

/** Lays a file or socket mapping over pages of the memory. Offset and address are multiples of the page size. */
export function mapOver(libc: Libc, address: number, length: number, fd: number, offset: number, subject: string): void {
  check(libc, libc.mmap(address, length, PROT_READ_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, offset), 'mmap', subject);
}

/** Makes pages private, anonymous and zero again: what lay over them is let go. */
export function restorePages(libc: Libc, address: number, length: number): void {
  check(libc, libc.mmap(address, length, PROT_READ_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), 'mmap', 'anonymous pages');
}

/** Asks for huge pages (fewer TLB misses in big tables). False where the kernel will not: that costs speed only. */
export function preferHugePages(libc: Libc, address: number, length: number): boolean {
  return libc.madvise(address, length, MADV_HUGEPAGE) === 0;
}
