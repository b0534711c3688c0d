/* What the translated core stands on: WebAssembly's semantics in gcc's C. Compile with -fwrapv -fno-strict-aliasing. */
typedef __UINT8_TYPE__ u8;
typedef __INT8_TYPE__ i8;
typedef __UINT16_TYPE__ u16;
typedef __INT16_TYPE__ i16;
typedef __UINT32_TYPE__ u32;
typedef __INT32_TYPE__ i32;
typedef __UINT64_TYPE__ u64;
typedef __INT64_TYPE__ i64;
#ifndef __cplusplus
typedef _Bool bool;
#endif

/* usize is 32 bits wide as in wasm32: arithmetic wraps alike. NATIVE_USIZE: 64 bits, what a C programmer would write. */
#ifdef NATIVE_USIZE
typedef u64 usize;
typedef i64 isize;
#else
typedef u32 usize;
typedef i32 isize;
#endif

typedef u64 v128 __attribute__((vector_size(16)));
typedef u8 v_u8 __attribute__((vector_size(16)));
typedef i8 v_i8 __attribute__((vector_size(16)));
typedef u16 v_u16 __attribute__((vector_size(16)));
typedef i16 v_i16 __attribute__((vector_size(16)));
typedef u32 v_u32 __attribute__((vector_size(16)));
typedef i32 v_i32 __attribute__((vector_size(16)));
typedef u64 v_u64 __attribute__((vector_size(16)));
typedef i64 v_i64 __attribute__((vector_size(16)));

/* Memory: address = pointer, unless the arena lies elsewhere. Any alignment, any type. */
#ifndef ARENA
#define ARENA ((u64)0)
#endif
#define ADDRESS(p, offset) (ARENA + (u64)(p) + (u64)(offset))
#define MEMORY_TYPE(T) typedef T T##_in_memory __attribute__((may_alias, aligned(1)));
MEMORY_TYPE(u8) MEMORY_TYPE(i8) MEMORY_TYPE(u16) MEMORY_TYPE(i16) MEMORY_TYPE(u32) MEMORY_TYPE(i32)
MEMORY_TYPE(u64) MEMORY_TYPE(i64) MEMORY_TYPE(v128) MEMORY_TYPE(bool)
#define LOAD(T, p, offset) (*(T##_in_memory *)ADDRESS(p, offset))
#define STORE(T, p, value, offset) ((void)(*(T##_in_memory *)ADDRESS(p, offset) = (T##_in_memory)(value)))
#define COPY(to, from, bytes) ((void)__builtin_memmove((void *)ADDRESS(to, 0), (const void *)ADDRESS(from, 0), (u64)(bytes)))
#define FILL(to, value, bytes) ((void)__builtin_memset((void *)ADDRESS(to, 0), (int)(value), (u64)(bytes)))

/* Atomics are sequentially consistent, as WebAssembly's; naturally aligned. */
#define ATOMIC(T, p, offset) ((T *)ADDRESS(p, offset))
#define ATOMIC_LOAD(T, p, offset) __atomic_load_n(ATOMIC(T, p, offset), __ATOMIC_SEQ_CST)
#define ATOMIC_STORE(T, p, value, offset) __atomic_store_n(ATOMIC(T, p, offset), (T)(value), __ATOMIC_SEQ_CST)
#define ATOMIC_ADD(T, p, value, offset) __atomic_fetch_add(ATOMIC(T, p, offset), (T)(value), __ATOMIC_SEQ_CST)
#define ATOMIC_SUB(T, p, value, offset) __atomic_fetch_sub(ATOMIC(T, p, offset), (T)(value), __ATOMIC_SEQ_CST)
#define ATOMIC_AND(T, p, value, offset) __atomic_fetch_and(ATOMIC(T, p, offset), (T)(value), __ATOMIC_SEQ_CST)
#define ATOMIC_OR(T, p, value, offset) __atomic_fetch_or(ATOMIC(T, p, offset), (T)(value), __ATOMIC_SEQ_CST)
#define ATOMIC_XOR(T, p, value, offset) __atomic_fetch_xor(ATOMIC(T, p, offset), (T)(value), __ATOMIC_SEQ_CST)
#define ATOMIC_XCHG(T, p, value, offset) __atomic_exchange_n(ATOMIC(T, p, offset), (T)(value), __ATOMIC_SEQ_CST)
#define ATOMIC_CMPXCHG(T, p, expected, value, offset) __extension__({ \
  T found_ = (T)(expected); \
  __atomic_compare_exchange_n(ATOMIC(T, p, offset), &found_, (T)(value), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
  found_; })
#define ATOMIC_FENCE() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#define HELPER static inline __attribute__((always_inline, unused))
HELPER u32 rotl32(u32 x, u32 n) { n &= 31; return (x << n) | (x >> (-n & 31)); }
HELPER u64 rotl64(u64 x, u64 n) { n &= 63; return (x << n) | (x >> (-n & 63)); }
HELPER u32 rotr32(u32 x, u32 n) { n &= 31; return (x >> n) | (x << (-n & 31)); }
HELPER u64 rotr64(u64 x, u64 n) { n &= 63; return (x >> n) | (x << (-n & 63)); }
HELPER u32 clz32(u32 x) { return x ? (u32)__builtin_clz(x) : 32; }
HELPER u64 clz64(u64 x) { return x ? (u64)__builtin_clzll(x) : 64; }
HELPER u32 ctz32(u32 x) { return x ? (u32)__builtin_ctz(x) : 32; }
HELPER u64 ctz64(u64 x) { return x ? (u64)__builtin_ctzll(x) : 64; }
HELPER u32 popcnt32(u32 x) { return (u32)__builtin_popcount(x); }
HELPER u64 popcnt64(u64 x) { return (u64)__builtin_popcountll(x); }

/* Both values are computed, and gcc is told that the condition cannot be predicted: a conditional move, as in WebAssembly. */
#define SELECT(T, a, b, condition) __extension__({ \
  T a_ = (a); T b_ = (b); __builtin_expect_with_probability((condition) ? 1 : 0, 1, 0.5) ? a_ : b_; })
#define MIN(T, a, b) __extension__({ T a_ = (a); T b_ = (b); a_ < b_ ? a_ : b_; })
#define MAX(T, a, b) __extension__({ T a_ = (a); T b_ = (b); a_ > b_ ? a_ : b_; })

HELPER u32 bitmask_u8(v128 x) {
#ifdef __SSE2__
  typedef char mask_u8 __attribute__((vector_size(16)));
  return (u32)__builtin_ia32_pmovmskb128((mask_u8)x);
#else
  u32 mask = 0;
  for (u32 i = 0; i < 16; i++) mask |= (u32)(((v_u8)x)[i] >> 7) << i;
  return mask;
#endif
}
HELPER u32 bitmask_u32(v128 x) {
#ifdef __SSE2__
  typedef float mask_u32 __attribute__((vector_size(16)));
  return (u32)__builtin_ia32_movmskps((mask_u32)x);
#else
  u32 mask = 0;
  for (u32 i = 0; i < 4; i++) mask |= (((v_u32)x)[i] >> 31) << i;
  return mask;
#endif
}
HELPER u32 bitmask_u16(v128 x) {
  u32 mask = 0;
  for (u32 i = 0; i < 8; i++) mask |= (u32)(((v_u16)x)[i] >> 15) << i;
  return mask;
}
HELPER u32 bitmask_u64(v128 x) { return (u32)(x[0] >> 63) | (u32)(x[1] >> 63) << 1; }
HELPER bool any_true(v128 x) { return (x[0] | x[1]) != 0; }
/* Lane indices beyond 15 give zero. */
HELPER v128 swizzle(v128 x, v128 lanes) {
  v_u8 index = (v_u8)lanes;
  return (v128)(__builtin_shuffle((v_u8)x, index & 15) & (v_u8)(index < 16));
}
