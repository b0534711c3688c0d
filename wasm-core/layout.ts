/**
 * The memory map. AssemblyScript and the host compile this very file.
 *
 * The memory is the data plane: one shared 4 GiB `WebAssembly.Memory` (65,536 pages) whose untouched pages cost nothing.
 * Every region has a constant address, the same on every appliance, so that the core's bases are immediates; a hardware
 * profile only says how much of a region may be used. No state lives in WASM globals or data segments.
 *
 *   0x00000000  null guard, never touched        0x1E000000  next-hop reference counts, writers' own
 *   0x00010000  header                           0x20000000  DIR-24-8 first level, 8 slots of 32 MiB
 *   0x00100000  lcores, 18 of 256 KiB            0x30000000  DIR-24-8 groups, 8 slots of 16 MiB
 *   0x01000000  interfaces                       0x38000000  trie heap (Poptrie), 1 GiB, below 2^31
 *   0x01200000  VRFs                             0x80000000  DIR-24-8 depths, 8 slots of 16 MiB
 *   0x01800000  labels                           0x88000000  DIR-24-8 group depths, 8 slots of 8 MiB
 *   0x01C00000  queues                           0x90000000  RIB nodes, 512 MiB
 *   0x02000000  next hops                        0xB0000000  rings, 1024 slots of 256 KiB
 *   0x04000000  floating IPs by public address   0xC0000000  frames, 512 MiB
 *   0x05000000  floating IPs by private address  0xE0000000  reserved for flows
 *   0x06000000  floating-IP records
 *   0x08000000  neighbours
 *   0x09000000  ECMP members
 *   0x0A000000  counters, 18 of 16 MiB
 *   0x1C000000  handoff rings, frame pool, drop log, command and trace buffers
 *
 * Packet fields, addresses included, keep network byte order (the value of a plain little-endian load); everything else
 * is little-endian. A constant's unit is in its name or beside it; sizes are bytes.
 */

/** Refused by a core that was built for another map. Raise it with every change of this file's meaning. */
export const LAYOUT_VERSION: u32 = 1;
/** "wrtr" as a little-endian word. */
export const LAYOUT_MAGIC: u32 = 0x72747277;
export const MEMORY_PAGES: u32 = 65536;

// ---- header ------------------------------------------------------------------------------------------------------------
export const HEADER: usize = 0x00010000;
export const H_MAGIC: usize = 0;
export const H_VERSION: usize = 4;
/** The epoch that writers publish; an lcore copies it at every quiescent point. */
export const H_EPOCH: usize = 8;
/** Mark-and-sweep generation that writers stamp on what they write (1..255). */
export const H_GENERATION: usize = 12;
/** u64, random, written by the host once: keys hashes that an outsider must not predict. */
export const H_SEED: usize = 16;
/** Limits from the hardware profile. */
export const H_LCORES: usize = 24;
export const H_FRAMES: usize = 28;
export const H_FIP_MASK: usize = 32; // buckets - 1, of either floating-IP table
export const H_MAX_NEXTHOPS: usize = 36;
export const H_MAX_VRFS: usize = 40;
export const H_MAX_INTERFACES: usize = 44;
/** ICMP errors that one lcore may generate: tokens per second and the bucket's depth. */
export const H_ICMP_RATE: usize = 48;
export const H_ICMP_BURST: usize = 52;
/** u64: address of the DIR-24-8 entries that are being changed, above it their former result; changes so far (see tables/lpm). */
export const H_DIR24_MOVING: usize = 56;
export const H_DIR24_CHANGES: usize = 64;
/** Floating-IP lanes taken away so far: a search that found nothing while it rose begins again (see tables/fip). */
export const H_FIP_CHANGES: usize = 68;
/** Writers' own words: bump pointers and free lists, owned by `tables/`. 1 KiB from here. */
export const H_WRITER: usize = 0x0400;
/** A word that stays zero. */
export const H_ZERO: usize = 0x0800;

// ---- lcores ------------------------------------------------------------------------------------------------------------
export const MAX_WORKERS: u32 = 16;
/** The control instance transmits (gratuitous ARP, probes) as lcore 16; `trace` runs as lcore 17. */
export const LCORE_CONTROL: u32 = 16;
export const LCORE_TRACE: u32 = 17;
export const MAX_LCORES: u32 = 18;
export const LCORES: usize = 0x00100000;
export const LCORE_SHIFT: usize = 18;

export const LC_STATE: usize = 0; // LCORE_*
export const LC_EPOCH: usize = 4;
/** Incremented by every run; the watchdog reads it. */
export const LC_BEAT: usize = 8;
/** 1: nodes append to the trace buffer and nothing is transmitted, learnt or rate limited. */
export const LC_TRACING: usize = 12;
/** u64, monotonic microseconds; the host writes it before a run. */
export const LC_NOW_US: usize = 16;
/** u64, xorshift state; the host seeds it. */
export const LC_RANDOM: usize = 24;
export const LC_QUEUE_COUNT: usize = 32;
export const LC_FREE_COUNT: usize = 36;
export const LC_HELD_COUNT: usize = 40;
/** Test injection, consumed by the next run: 1 = trap, 2 = spin for ever. */
export const LC_FAULT: usize = 44;
/** Metas handed out in this vector. */
export const LC_META_COUNT: usize = 52;
/** ICMP error tokens (in 1/1000) and when they were last filled. */
export const LC_ICMP_TOKENS: usize = 56;
export const LC_ICMP_FILLED_MS: usize = 60;
/** Bit per lcore whose handoff ring this run filled: the host wakes those that sleep. */
export const LC_WAKE: usize = 64;
/** Queues whose transmit ring was filled in this run, to be kicked by the host: count, then u16 each. */
export const LC_KICK_COUNT: usize = 68;
/** Running number for IPv4 identification of what the core itself originates. */
export const LC_IP_ID: usize = 72;
/** Next free entry of this lcore's drop log (never wraps; index = value % DROP_LOG_ENTRIES). */
export const LC_DROP_LOG_NEXT: usize = 76;
/** Queue that the next vector begins with, and when neighbours and held packets were last aged. */
export const LC_NEXT_QUEUE: usize = 84;
export const LC_AGED_MS: usize = 88;
/** Where loops that only fetch cache lines put what they read, so that no compiler takes them away. */
export const LC_TOUCHED: usize = 92;
export const LC_QUEUES: usize = 0x0400; // u16 queue index x MAX_QUEUES
export const LC_LIST_COUNTS: usize = 0x0200; // u32 per node
export const LC_GROUPS: usize = 0x0300; // u32 x 64, of nodes/by-interface
export const LC_KICKS: usize = 0x0C00; // u16 x 512
export const LC_METAS: usize = 0x1000; // META_SIZE x MAX_METAS
export const LC_LISTS: usize = 0x9000; // per node MAX_METAS x u32 (meta addresses)
export const LC_FREE: usize = 0x1A000; // u32 frame address x FREE_CAPACITY
export const LC_HELD: usize = 0x2A000; // HELD_SIZE x HELD_CAPACITY: packets that wait for a neighbour

export const LCORE_STOPPED: u32 = 0;
export const LCORE_RUNNING: u32 = 1;
/** Asleep in the kernel: touches no table, so writers need not wait for it. */
export const LCORE_IDLE: u32 = 2;

export const VECTOR: u32 = 256;
/** Twice the vector: nodes may create packets (fragments, ICMP errors, ARP requests). */
export const MAX_METAS: u32 = 512;
export const META_SIZE: usize = 64;
export const FREE_CAPACITY: u32 = 16384;
export const HELD_CAPACITY: u32 = 256;
export const HELD_SIZE: usize = 32;

// ---- meta record: one per packet of the vector, one cache line -----------------------------------------------------------
export const M_L3: usize = 0; // u32 address of the IPv4 header that is being forwarded (of the ARP header for ARP)
export const M_LENGTH: usize = 4; // u16 IPv4 total length
export const M_IHL: usize = 6; // u8 IPv4 header bytes
export const M_PROTOCOL: usize = 7; // u8
export const M_RX_IF: usize = 8; // u16 interface it came in by
export const M_FLAGS: usize = 10; // u16 MF_*
export const M_VRF: usize = 12; // u32
export const M_SRC: usize = 16; // u32 network order
export const M_DST: usize = 20; // u32 network order
export const M_NH: usize = 24; // u32 next-hop id
export const M_TX_IF: usize = 28; // u16
export const M_DROP: usize = 30; // u8 drop reason, 0 = alive
export const M_LOOPS: usize = 31; // u8 VRF translations so far
export const M_SNAT: usize = 32; // u32 address of the lane (private table) or record that translates the source, 0 = none
export const M_DNAT: usize = 36; // u32 address of the lane (public table) that translates the destination, 0 = none
export const M_LPM: usize = 40; // u32 native LPM result: LEAF_*
export const M_OUTER_SRC: usize = 44; // u32 outer source of a tunnelled packet, network order, 0 = not tunnelled
export const M_LABEL: usize = 48; // u32
export const M_HASH: usize = 52; // u32 5-tuple hash
/** u64: the VRF's LPM root during a lookup (over label and hash, which are made before and after it). */
export const M_ROOT: usize = 48;
/** u64 NB_MAC of the neighbour that it goes to, from encapsulate or ethernet-output on (over label and hash). */
export const M_MAC: usize = 48;
export const M_SCRATCH: usize = 56; // u32 what one loop or node leaves for the next: first load of a staged lookup, NH_WORD, neighbour
export const M_FRAME: usize = 60; // u32 address of the frame's chunk

/** Source was translated by a floating IP. */
export const MF_SNAT: u32 = 1;
export const MF_DNAT: u32 = 2;
/** Came out of a tunnel. */
export const MF_TUNNELLED: u32 = 4;
/** A fragment other than the first: no L4 header in it. */
export const MF_FRAGMENT: u32 = 8;
/** First of several fragments: has an L4 header, but its payload is incomplete. */
export const MF_FIRST_FRAGMENT: u32 = 16;
/** The core made it (ICMP error, echo reply, ARP): no source check, no TTL decrement. */
export const MF_ORIGINATED: u32 = 32;
/** Ethernet destination was a broadcast or multicast address. */
export const MF_L2_BROADCAST: u32 = 64;
/** Waited for a neighbour once already. */
export const MF_HELD: u32 = 128;
/** Its source is not the interface's own workload: a lane of the private table must permit it. */
export const MF_SOURCE_UNPROVED: u32 = 256;
/** Larger than its next hop takes, and may be cut. */
export const MF_OVERSIZED: u32 = 512;

// ---- interfaces --------------------------------------------------------------------------------------------------------
export const MAX_INTERFACES: u32 = 8192;
export const INTERFACES: usize = 0x01000000;
export const INTERFACE_SHIFT: usize = 7;

export const IF_KIND: usize = 0; // u8 IFK_*
export const IF_FLAGS: usize = 1; // u8 IFF_*
export const IF_VLAN: usize = 2; // u16 802.1Q id, 0 = untagged
export const IF_VRF: usize = 4; // u32
export const IF_MAC: usize = 8; // 6 bytes
export const IF_MTU: usize = 14; // u16 L3 MTU
export const IF_ADDRESS: usize = 16; // u32 own address, network order: the source of ICMP errors, the gateway of a pod
export const IF_MASK: usize = 20; // u32 netmask, network order
/** Address of the workload behind it (source check), network order; further ones are lanes of the private FIP table. */
export const IF_WORKLOAD: usize = 24;
/** Transmit queue of lcore n: u16 at IF_TX_QUEUE + 2n is queue index + 1; 0 = none, hand off to IF_OWNER's lcore. */
export const IF_OWNER: usize = 28; // u16 lcore that transmits for those without a queue
export const IF_PARENT: usize = 30; // u16 interface that carries this VLAN sub-interface, 0 = itself
/** First VLAN sub-interface of a parent, and the next one of its siblings (u16; 0 = end). */
export const IF_VLAN_FIRST: usize = 32;
export const IF_VLAN_NEXT: usize = 34;
export const IF_GENERATION: usize = 36; // u8
/** Writer's counts: floating IPs that translate sources, that translate destinations, and in all; its first next hop. */
export const IF_FIP_SOURCES: usize = 40;
export const IF_FIP_DESTINATIONS: usize = 44;
export const IF_FIPS: usize = 48;
export const IF_NEXTHOPS: usize = 52;
export const IF_TX_QUEUE: usize = 64; // u16 x 18

export const IFK_NONE: u32 = 0;
/** Underlay: tunnels end on its address. */
export const IFK_FABRIC: u32 = 1;
/** A pod or virtual machine. */
export const IFK_WORKLOAD: u32 = 2;
/** The plain side of a gateway, towards the Internet. */
export const IFK_EXTERNAL: u32 = 3;

export const IFF_UP: u32 = 1;
export const IFF_SOURCE_CHECK: u32 = 2;
/** Answers ARP for every address that its VRF routes elsewhere. */
export const IFF_PROXY_ARP: u32 = 4;
/** Some floating IP of this interface translates sources: look in the private table. */
export const IFF_FIP_SOURCE: u32 = 8;
/** Some floating IP of this interface translates destinations: look in the public table. */
export const IFF_FIP_DESTINATION: u32 = 16;
/** Strict reverse-path check of what comes in by it (RFC 3704). */
export const IFF_RPF: u32 = 32;

// ---- VRFs --------------------------------------------------------------------------------------------------------------
export const MAX_VRFS: u32 = 65536;
export const VRFS: usize = 0x01200000;
export const VRF_SHIFT: usize = 6;

/** u64, published by one store: low word table base, then u8 kind (LPM_*), u8 shift (32 - s, Poptrie and range table of 2^s). */
export const VRF_LPM: usize = 0;
export const VRF_LPM_KIND: usize = 4; // u8 within VRF_LPM
export const VRF_LPM_SHIFT: usize = 5; // u8 within VRF_LPM
export const VRF_FLAGS: usize = 8; // u8 VRFF_*
export const VRF_GENERATION: usize = 9; // u8
/** TCP MSS is clamped to it where it is not 0 (option of the virtual network). */
export const VRF_MSS: usize = 10; // u16
export const VRF_ROUTES: usize = 12; // u32 count
export const VRF_RIB: usize = 16; // u32 root of its RIB
/** Writer's: bytes of its lookup table, preferred kind (u8), what refers to it, routes whose next hop is >= DIR24_MAX_NH. */
export const VRF_BYTES: usize = 20;
export const VRF_PREFERRED: usize = 24;
export const VRF_REFS: usize = 28;
export const VRF_WIDE: usize = 32;
/** Routes that its range table was made for. */
export const VRF_BUILT: usize = 36;
/** u8: it outgrew the groups of a DIR-24-8 slot; until it is empty or told otherwise it stays a Poptrie. */
export const VRF_NO_DIR24: usize = 25;

export const VRFF_EXISTS: u32 = 1;
/** Reverse-path check of tunnelled packets: the inner source must be routed to the tunnel that they came from. */
export const VRFF_RPF: u32 = 2;
/** Its own addresses may leave for the outside untranslated (a virtual network with `external` set). */
export const VRFF_EXTERNAL: u32 = 4;

export const LPM_EMPTY: u32 = 0;
export const LPM_DIR24: u32 = 1;
export const LPM_POPTRIE: u32 = 2;
/** Only by the core's own choice, for few routes. */
export const LPM_RANGES: u32 = 4;

/** An LPM result: next-hop id in the low bits, match length + 1 above; 0 = no route. Poptrie leaves are stored so. */
export const LEAF_NH_MASK: u32 = 0x000FFFFF;
export const LEAF_LENGTH_SHIFT: u32 = 24;
/** Poptrie: set in a direct-table entry that is a leaf; clear = address of a node. */
export const POPTRIE_LEAF: u32 = 0x80000000;

export const DIR24: usize = 0x20000000; // u16 x 2^24 a slot: next hop < 0x8000, else 0x8000 | group
export const DIR24_SLOT_SHIFT: usize = 25;
export const DIR24_GROUPS: usize = 0x30000000; // u16 x 256 a group, 32,768 groups a slot
export const DIR24_GROUPS_SLOT_SHIFT: usize = 24;
export const DIR24_DEPTH: usize = 0x80000000; // u8 x 2^24 a slot: match length + 1 of the entry
export const DIR24_DEPTH_SLOT_SHIFT: usize = 24;
export const DIR24_GROUP_DEPTH: usize = 0x88000000; // u8 x 256 a group
export const DIR24_GROUP_DEPTH_SLOT_SHIFT: usize = 23;
export const DIR24_SLOTS: u32 = 8;
/** Next hops that a DIR-24-8 entry can name; a VRF that needs a higher id becomes a Poptrie. */
export const DIR24_MAX_NH: u32 = 0x8000;

export const TRIE_HEAP: usize = 0x38000000;
export const TRIE_HEAP_SIZE: usize = 0x40000000;
export const RIB: usize = 0x90000000;
export const RIB_SIZE: usize = 0x20000000;

// ---- next hops ---------------------------------------------------------------------------------------------------------
/** Ids from 1; 0 means "no route". The controller numbers them per appliance, densely. */
export const MAX_NEXTHOPS: u32 = 524288;
export const NEXTHOPS: usize = 0x02000000;
export const NEXTHOP_SHIFT: usize = 6;
export const NEXTHOP_REFS: usize = 0x1E000000; // u32 each
/** Lists, hashes and generations that only the writers use, 30 MiB: see tables/writer. */
export const WRITERS: usize = 0x1E200000;

/**
 * A next hop is one cache line: a right-aligned 48-byte template that three 16-byte stores put before the packet
 * (Ethernet at 6, IPv4 at 20, GRE at 40, MPLS at 44; length, identification and checksum zero), and around it what
 * decides. The bytes before the Ethernet header fall into the headroom. The destination MAC comes from the neighbour.
 */
export const NH_KIND: usize = 0; // u8 NHK_*
/** u32 NH_KIND, above it NH_FLAGS and NH_INTERFACE. */
export const NH_WORD: usize = 0;
export const NH_FLAGS: usize = 1; // u8 NHF_*
export const NH_INTERFACE: usize = 2; // u16
export const NH_MTU: usize = 4; // u16 greatest inner IPv4 packet that it takes
export const NH_TEMPLATE_ETHERNET: usize = 6;
export const NH_TEMPLATE_IPV4: usize = 20;
export const NH_TEMPLATE_GRE: usize = 40;
export const NH_TEMPLATE_MPLS: usize = 44;
/** Unfolded sum of the outer IPv4 header's constant words (RFC 1071), host arithmetic on network-order words. */
export const NH_CHECKSUM: usize = 48; // u32
/** ECMP: first slot in the low 24 bits (unit ECMP_UNIT members), slots - 1 above. VRF kinds: the VRF. Tunnels: label. */
export const NH_AUX: usize = 52; // u32
export const NH_REMOTE: usize = 56; // u32 tunnel destination or neighbour address, network order
export const NH_NEIGHBOUR: usize = 60; // u32 index of the neighbour record

export const NHK_NONE: u32 = 0;
export const NHK_DISCARD: u32 = 1;
export const NHK_RECEIVE: u32 = 2;
/** Out of an interface to one neighbour: a workload, or a router on a plain link. */
export const NHK_INTERFACE: u32 = 3;
/** Out of an interface to whoever has the destination address (a connected subnet). */
export const NHK_RESOLVE: u32 = 4;
export const NHK_TUNNEL_GRE: u32 = 5;
export const NHK_TUNNEL_UDP: u32 = 6; // reserved: MPLSoUDP
export const NHK_TUNNEL_VXLAN: u32 = 7; // reserved
export const NHK_ECMP: u32 = 8;
/** Look up again in another VRF. */
export const NHK_VRF: u32 = 9;

/** Leads to the outside (a gateway's tunnel or plain side): only translated or external sources may take it. */
export const NHF_EXTERNAL: u32 = 1;
/** Its interface has floating IPs: translate the destination before sending. */
export const NHF_FIP: u32 = 2;
/** Writer's: the record gave the MAC of the neighbour, the MTU. */
export const NHF_MAC_GIVEN: u32 = 64;
export const NHF_MTU_GIVEN: u32 = 128;

export const ECMP: usize = 0x09000000; // u32 next-hop id per slot, 0 = place-holder of a removed member
export const ECMP_SIZE: usize = 0x01000000;
/** Members of a group begin at a multiple of this many slots. */
export const ECMP_UNIT: u32 = 4;
export const ECMP_MAX_SLOTS: u32 = 256;

export const LABELS: usize = 0x01800000; // u32 next-hop id per label, 0 = none
export const MAX_LABELS: u32 = 1048576;
export const MIN_LABEL: u32 = 16;

// ---- floating IPs --------------------------------------------------------------------------------------------------------
/**
 * Two hash tables of 64-byte buckets, one cache line: four keys, four tags, four new addresses, four checksum deltas.
 * By public address (destination NAT; tag names the interface that owns it) and by private address (source NAT; tag
 * names the interface that the packet came from, and the floating IP's VRF). Key 0 = empty, 0xFFFFFFFF = tombstone.
 * A lane whose tag has TAG_CHAIN set holds, instead of a new address, the address of the first record of an ordered chain.
 * A lane whose new address is its key permits the address (source check) and translates nothing.
 */
export const FIP_PUBLIC: usize = 0x04000000;
export const FIP_PRIVATE: usize = 0x05000000;
export const FIP_MAX_BUCKETS: u32 = 262144;
export const FIP_BUCKET_SHIFT: usize = 6;
export const FIP_KEY: usize = 0; // u32 x 4
export const FIP_TAG: usize = 16; // u32 x 4: interface | TAG_* | VRF << 16
export const FIP_NEW: usize = 32; // u32 x 4 network order
/** Sum of ~old and new halves (RFC 1624 eqn. 3), folded to 16 bits, network-order words. */
export const FIP_DELTA: usize = 48; // u32 x 4
export const TAG_INTERFACE_MASK: u32 = 0x1FFF;
export const TAG_CHAIN: u32 = 0x2000;
export const TAG_VRF_SHIFT: u32 = 16;
/** Multiplier of the bucket hash: ((interface << 32 | address) * FIP_HASH) >>> 32, masked; then linear by bucket. */
export const FIP_HASH: u64 = 0x9E3779B97F4A7C15;
export const FIP_TOMBSTONE: u32 = 0xFFFFFFFF;

export const FIP_RECORDS: usize = 0x06000000;
export const FIP_RECORD_SHIFT: usize = 5;
export const MAX_FIPS: u32 = 1048576;
export const FR_PUBLIC: usize = 0;
export const FR_DELTA: usize = 4;
export const FR_VRF: usize = 8;
export const FR_NEXT: usize = 12; // u32 address of the next record in order, 0 = end
export const FR_PRIVATE: usize = 16;
export const FR_INTERFACE: usize = 20; // u16
export const FR_DIRECTION: usize = 22; // u8 FIPD_*
export const FR_GENERATION: usize = 23; // u8
export const FR_ORDER: usize = 24; // u16 rank of the VRF's name: tie-break before the address
export const FR_WRITER: usize = 28; // u32, owned by tables/fip
export const FIPD_INGRESS: u32 = 1;
export const FIPD_EGRESS: u32 = 2;
export const FIPD_BOTH: u32 = 3;

// ---- neighbours ----------------------------------------------------------------------------------------------------------
/** Open addressing by (interface, address); a slot is claimed by one 64-bit compare-and-swap of its key. */
export const NEIGHBOURS: usize = 0x08000000;
export const MAX_NEIGHBOURS: u32 = 65536;
export const NEIGHBOUR_SHIFT: usize = 6;
export const NB_KEY: usize = 0; // u64: address (network order) low, interface high; 0 = free
/**
 * u64 written by one store: destination MAC in the low 48 bits, above it the first two bytes of the interface's own MAC,
 * so that one 8-byte store writes both. 0 = unresolved.
 */
export const NB_MAC: usize = 8;
export const NB_SEEN_MS: usize = 16; // u32 last confirmation
export const NB_ASKED_MS: usize = 20; // u32 last request sent
export const NB_TRIES: usize = 24; // u32 requests since the last confirmation
export const NB_HELD: usize = 28; // u32 packets waiting for it, over all lcores
export const NB_FLAGS: usize = 32; // u32 NBF_*
export const NB_REFS: usize = 36; // u32 next hops that lead to it (writer's)
/** Never aged, never probed (a workload's MAC comes from the controller). */
export const NBF_STATIC: u32 = 1;
/** Is being given back: no longer found, free after the readers' epoch. */
export const NBF_RETIRED: u32 = 2;
export const NB_MAX_HELD: u32 = 8;
export const NB_MAX_TRIES: u32 = 3;
export const NB_RETRY_MS: u32 = 1000;
export const NB_REACHABLE_MS: u32 = 30000;

// ---- queues and rings ------------------------------------------------------------------------------------------------------
export const MAX_QUEUES: u32 = 1024;
export const QUEUES: usize = 0x01C00000;
export const QUEUE_SHIFT: usize = 7;
export const RINGS: usize = 0xB0000000;
export const RING_SLOT_SHIFT: usize = 18; // the four rings of a queue lie in one 256 KiB slot

export const Q_STATE: usize = 0; // u32 QS_*
export const Q_INTERFACE: usize = 4; // u32
export const Q_LCORE: usize = 8; // u32 owner: the only one that touches its rings
export const Q_FLAGS: usize = 12; // u32 QF_*
/** Each ring: absolute addresses of producer, consumer, flags and first descriptor (u32 x 4), at 16, 32, 48, 64. */
export const Q_RX: usize = 16;
export const Q_TX: usize = 32;
export const Q_FILL: usize = 48;
export const Q_COMPLETION: usize = 64;
export const R_PRODUCER: usize = 0;
export const R_CONSUMER: usize = 4;
export const R_FLAGS: usize = 8;
export const R_DESC: usize = 12;
/** Entries - 1 of rx, tx, fill, completion: u32 x 4. */
export const Q_MASKS: usize = 80;
/** Frames in the kernel's or the peer's hands for transmission (not yet completed). */
export const Q_TX_PENDING: usize = 96; // u32
export const Q_TX_KICKED: usize = 100; // u32: already in this run's kick list
/** Producer of the transmit ring as it will be published at the end of the vector. */
export const Q_TX_NEXT: usize = 104; // u32
export const QS_FREE: u32 = 0;
export const QS_ACTIVE: u32 = 1;
/** Being taken down: no more transmit; completions are still collected. */
export const QS_DRAINING: u32 = 2;
/** The kernel asks to be woken for transmit (XDP_USE_NEED_WAKEUP); else only the pump of a memory ring is. */
export const QF_KERNEL: u32 = 1;

/** xdp_desc: u64 address (offset from FRAMES), u32 length, u32 options. Fill and completion entries: u64 address. */
export const XDP_DESC_SHIFT: usize = 4;
/** Offsets inside a slot that memory, socket and TAP ports use (AF_XDP ports use the kernel's own, host-written). */
export const RING_RX: usize = 0x00000;
export const RING_TX: usize = 0x12000;
export const RING_FILL: usize = 0x24000;
export const RING_COMPLETION: usize = 0x2E000;
export const RING_MAX_ENTRIES: u32 = 4096;
/** A generator port's own words (rings/generator.ts), behind the rings in the slot. Addresses and mask are numbers, not network order. */
export const RING_GENERATOR: usize = 0x38000;
export const GN_LENGTH: usize = 0; // u32 bytes of a frame, at least 60; 0 = only takes
export const GN_DESTINATION: usize = 4; // u32 first address, and the bits of it that vary
export const GN_MASK: usize = 8;
export const GN_SUM: usize = 12; // u32 unfolded sum of the template's IPv4 header without checksum and destination
export const GN_RANDOM: usize = 16; // u32, not zero
export const GN_GENERATED: usize = 24; // u64 frames received from it
export const GN_TAKEN: usize = 32; // u64 frames sent to it: what it saw, answered ARP requests, and others
export const GN_ARP: usize = 40; // u64
export const GN_OTHER: usize = 48; // u64
export const GN_TEMPLATE: usize = 64; // the first 64 bytes of a frame; bytes beyond are what the frame last held
/** u32 [second byte of the destination][last 4 bits of the tunnel's end]: 256 x 16 */
export const GN_SEEN: usize = 0x1000;

export const FRAMES: usize = 0xC0000000;
export const MAX_FRAMES: u32 = 262144;
export const FRAME_SHIFT: usize = 11;
/** Received data starts here in its 2048-byte chunk; encapsulations are prepended into it. */
export const FRAME_HEADROOM: usize = 256;
export const FRAME_CAPACITY: u32 = 1792; // 2048 - headroom

/** Handoff ring from lcore a to lcore b at HANDOFF + (a * MAX_LCORES + b << 13): SPSC, u32 head, u32 tail (64 apart). */
export const HANDOFF: usize = 0x1C000000;
export const HANDOFF_SHIFT: usize = 13;
export const HANDOFF_ENTRIES: u32 = 512; // 12 bytes each from byte 128: frame data address, length, interfaces (tx, rx << 16)
export const HO_HEAD: usize = 0;
export const HO_TAIL: usize = 64;
export const HO_ENTRIES: usize = 128;

/** Frames that no lcore holds: a lock word (owner lcore + 1), a count, then u32 frame addresses as a stack. */
export const FRAME_POOL: usize = 0x1C400000;
export const FP_LOCK: usize = 0;
export const FP_COUNT: usize = 4;
export const FP_FRAMES: usize = 64;
/** u16 per frame: queue + 1 that holds it (fill or transmit ring, or the kernel behind them), 0 = with the core. */
export const FRAME_OWNER: usize = 0x1D600000;
/** Frames that move between an lcore and the pool at once. */
export const FRAME_BATCH: u32 = 256;

// ---- counters: plain u64 adds, one block per lcore, summed by the reader ---------------------------------------------------
export const COUNTERS: usize = 0x0A000000;
export const COUNTERS_SHIFT: usize = 24;
export const C_NEXTHOP: usize = 0x000000; // 16 B x 2^19: packets, bytes (bytes = inner IPv4)
export const C_VRF: usize = 0x800000; // 16 B x 65,536: packets, bytes looked up in it
export const C_INTERFACE: usize = 0x900000; // 64 B x 8,192
export const C_NODE: usize = 0x9A0000; // 16 B x 64: packets, vectors
/** Packets that the core made, and those that it put into a transmit ring or a handoff ring's far end. */
export const C_ORIGINATED: usize = 0x9A0800; // u64
export const C_TRANSMITTED: usize = 0x9A0808; // u64
export const C_RECEIVED: usize = 0x9A0810; // u64
/** ICMP errors that the rate limit suppressed. */
export const C_ICMP_SUPPRESSED: usize = 0x9A0818; // u64
export const C_DROP: usize = 0x9A1000; // u64 x 256
export const CI_RX_PACKETS: usize = 0;
export const CI_RX_BYTES: usize = 8;
export const CI_TX_PACKETS: usize = 16;
export const CI_TX_BYTES: usize = 24;
export const CI_DROPS: usize = 32; // packets that came in by it and died

// ---- drop log: the last packets that died, per lcore -----------------------------------------------------------------------
export const DROP_LOG: usize = 0x1C800000;
export const DROP_LOG_LCORE_SHIFT: usize = 16;
export const DROP_LOG_ENTRIES: u32 = 256;
export const DROP_LOG_ENTRY_SHIFT: usize = 8;
export const DL_TIME_US: usize = 0; // u64
export const DL_REASON: usize = 8; // u8
export const DL_RX_IF: usize = 10; // u16
export const DL_VRF: usize = 12; // u32
export const DL_NH: usize = 16; // u32
export const DL_LENGTH: usize = 20; // u16 bytes that follow, at most DROP_LOG_BYTES
export const DL_BYTES: usize = 24; // from M_L3 on
export const DROP_LOG_BYTES: u32 = 232;

// ---- control: command and trace buffers --------------------------------------------------------------------------------------
export const COMMAND: usize = 0x1CA00000;
export const COMMAND_SIZE: u32 = 0x00800000;
/** Result codes of a batch, one byte per record. */
export const RESULTS: usize = 0x1D200000;
export const RESULTS_SIZE: u32 = 0x00100000;
/** Routes with RTF_ANNOUNCE that the last batch made live: u32 count, then address (network order) and VRF, u32 each. */
export const ANNOUNCED: usize = 0x1D300000;
export const MAX_ANNOUNCED: u32 = 65536;
/** u32 event count at 0; events from TRACE_EVENTS on; the traced frame's chunk at TRACE_FRAME. */
export const TRACE: usize = 0x1D400000;
export const TRACE_EVENTS: usize = 0x40;
export const TRACE_EVENT_SIZE: usize = 192;
export const MAX_TRACE_EVENTS: u32 = 2000;
export const TRACE_FRAME: usize = 0x1D480000;
export const TE_NODE: usize = 0; // u16
export const TE_KIND: usize = 2; // u16 TEK_*
export const TE_ARGS: usize = 4; // u32 x 7, their meaning belongs to the kind
export const TE_META: usize = 32; // copy of the meta record
export const TE_PACKET: usize = 96; // TE_PACKET_SIZE bytes from M_L3 on, after the node (from encapsulation on that is the Ethernet header)
export const TE_PACKET_SIZE: usize = 96;
/**
 * A packet went through a node: argument 0 is its number in the trace (0 = the traced one), the next ones
 *   ip4-lookup, fip-select   a match: VRF, prefix (network order), length + 1 (0 = no route), next hop
 *   nexthop, mpls-input      next hop before and after the ECMP choice, public and private address that translate the destination
 *   encapsulate, ethernet-output, neighbour   neighbour's interface, address (network order), MAC in two words
 *   ip4-input, mpls-input when they drop by rpf_failed   the match of the source: as ip4-lookup
 */
export const TEK_PASS: u32 = 1;
/** A floating IP that might translate the source: packet, VRF, prefix, length + 1, next hop of its match there, public address. */
export const TEK_CANDIDATE: u32 = 2;
