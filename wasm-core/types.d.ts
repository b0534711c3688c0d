/** AssemblyScript's scalar types as the host sees them when it imports `layout.ts` and `records.ts`. */
declare type u8 = number;
declare type u16 = number;
declare type u32 = number;
declare type i32 = number;
declare type usize = number;
declare type u64 = number;
