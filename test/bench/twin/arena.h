/*
 * The memory at an address that is known only when the twin is called (that of the WebAssembly memory in its process): kept in a
 * register, as V8 does. `address = base + offset` is then one operand of an instruction, on both sides.
 */
#if defined(__x86_64__)
register unsigned long arena __asm__("r15");
#elif defined(__aarch64__)
register unsigned long arena __asm__("x28");
#else
#error "no register chosen for the memory's base on this architecture"
#endif
#define ARENA arena
