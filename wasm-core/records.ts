/**
 * Packed records: how tables travel, from the controller's compile step over the sync stream and the dataplane socket into
 * `apply` of the core, unopened on the way, and onto disk. Little-endian; addresses are four bytes in network order.
 * AssemblyScript and the host compile this file. A batch is `count` records of one kind.
 */

export const RECORD_ROUTE: u32 = 1;
export const RECORD_NEXTHOP: u32 = 2;
export const RECORD_ECMP: u32 = 3;
export const RECORD_LABEL: u32 = 4;
export const RECORD_FLOATING_IP: u32 = 5;
export const RECORD_INTERFACE: u32 = 6;
export const RECORD_VRF: u32 = 7;

/** Route, 16 bytes. Next hop 0 deletes. Host bits beyond the length must be zero. */
export const RT_SIZE: u32 = 16;
export const RT_VRF: usize = 0; // u32
export const RT_PREFIX: usize = 4; // 4 bytes
export const RT_NEXTHOP: usize = 8; // u32
export const RT_LENGTH: usize = 12; // u8 0..32
export const RT_FLAGS: usize = 13; // u8 RTF_*
/** A floating IP that a gateway's plain side announces by gratuitous ARP (RFC 5227 section 3) when it becomes live. */
export const RTF_ANNOUNCE: u32 = 1;

/** Next hop, 32 bytes. Kind 0 deletes (refused while something refers to it). An id in use cannot change its content. */
export const NX_SIZE: u32 = 32;
export const NX_ID: usize = 0; // u32 1..MAX_NEXTHOPS-1
export const NX_KIND: usize = 4; // u8 NHK_*
export const NX_FLAGS: usize = 5; // u8 NHF_*
export const NX_INTERFACE: usize = 6; // u16 where it leaves (tunnels: the fabric interface)
export const NX_REMOTE: usize = 8; // 4 bytes: tunnel destination, or neighbour address
export const NX_LOCAL: usize = 12; // 4 bytes: tunnel source
export const NX_VALUE: usize = 16; // u32: label of a tunnel, VRF of NHK_VRF, slot count of NHK_ECMP (1..256)
export const NX_MAC: usize = 20; // 6 bytes: the neighbour's MAC if it is known (workloads), else zero: ARP finds it
export const NX_MTU: usize = 26; // u16 greatest inner IPv4 packet, 0 = from the interface (less the encapsulation)
/** Address that is resolved for a tunnel: the remote itself, or the gateway towards it. 4 bytes, 0 = the remote. */
export const NX_GATEWAY: usize = 28;

/** One slot of an ECMP next hop, 12 bytes. Member 0 = place-holder: flows of the other slots stay where they are. */
export const EC_SIZE: u32 = 12;
export const EC_NEXTHOP: usize = 0; // u32 the group
export const EC_SLOT: usize = 4; // u32
export const EC_MEMBER: usize = 8; // u32 a next hop that is not ECMP itself

/** Label, 8 bytes. Next hop 0 deletes. */
export const LB_SIZE: u32 = 8;
export const LB_LABEL: usize = 0; // u32 16..1048575
export const LB_NEXTHOP: usize = 4; // u32

/** Floating IP, 24 bytes; its identity is (public address, VRF, interface). Direction 0 deletes. A permit's public address is its private one. */
export const FL_SIZE: u32 = 24;
export const FL_PUBLIC: usize = 0; // 4 bytes
export const FL_PRIVATE: usize = 4; // 4 bytes
export const FL_VRF: usize = 8; // u32 VRF of the floating IP's virtual network
export const FL_INTERFACE: usize = 12; // u16
export const FL_DIRECTION: usize = 14; // u8 FIPD_*; 4 = permit the private address only (a further instance IP)
export const FL_ORDER: usize = 16; // u16 rank of the VRF's name among the interface's: tie-break before the address
export const FLD_PERMIT: u32 = 4;

/** Interface, 40 bytes. Kind 0 deletes. Ports (queues) are attached to interfaces by the appliance itself. */
export const IX_SIZE: u32 = 40;
export const IX_ID: usize = 0; // u32 1..MAX_INTERFACES-1
export const IX_KIND: usize = 4; // u8 IFK_*
export const IX_FLAGS: usize = 5; // u8 IFF_UP, IFF_SOURCE_CHECK, IFF_PROXY_ARP, IFF_RPF (FIP flags are the core's own)
export const IX_VLAN: usize = 6; // u16
export const IX_VRF: usize = 8; // u32
export const IX_MAC: usize = 12; // 6 bytes
export const IX_MTU: usize = 18; // u16
export const IX_ADDRESS: usize = 20; // 4 bytes
export const IX_MASK: usize = 24; // 4 bytes
export const IX_WORKLOAD: usize = 28; // 4 bytes
export const IX_PARENT: usize = 32; // u16 interface that carries a VLAN sub-interface, 0 = none

/** VRF, 12 bytes. Kind 0xFF deletes it with all its routes. */
export const VR_SIZE: u32 = 12;
export const VR_ID: usize = 0; // u32 0..65535; 0 is the fabric's
export const VR_KIND: usize = 4; // u8 0 = the core chooses, LPM_DIR24, LPM_POPTRIE
export const VR_FLAGS: usize = 5; // u8 VRFF_RPF, VRFF_EXTERNAL
export const VR_MSS: usize = 6; // u16 0 = no clamping
export const VR_DELETE: u32 = 0xFF;

/** Result of a record: 0 = live. Each has a text in `firmware/host/results.ts`. */
export const RESULT_OK: u32 = 0;
export const RESULT_MALFORMED: u32 = 1;
export const RESULT_NO_VRF: u32 = 2;
export const RESULT_NO_NEXTHOP: u32 = 3;
export const RESULT_NO_INTERFACE: u32 = 4;
export const RESULT_IN_USE: u32 = 5;
export const RESULT_NOT_FOUND: u32 = 6;
export const RESULT_TABLE_FULL: u32 = 7;
export const RESULT_OUT_OF_RANGE: u32 = 8;
export const RESULT_HOST_BITS: u32 = 9;
export const RESULT_IMMUTABLE: u32 = 10;
export const RESULT_DUPLICATE: u32 = 11;
