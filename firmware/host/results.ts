/** Records in words: what each is about, and why the core refused it. */
import {
  EC_MEMBER, EC_NEXTHOP, EC_SIZE, EC_SLOT, FL_INTERFACE, FL_PRIVATE, FL_PUBLIC, FL_SIZE, FL_VRF, IX_ID, IX_MTU, IX_PARENT, IX_SIZE, IX_VRF, LB_LABEL, LB_NEXTHOP, LB_SIZE,
  NX_ID, NX_INTERFACE, NX_KIND, NX_MTU, NX_SIZE, NX_VALUE, RECORD_ECMP, RECORD_FLOATING_IP, RECORD_INTERFACE, RECORD_LABEL, RECORD_NEXTHOP, RECORD_ROUTE, RECORD_VRF,
  RESULT_DUPLICATE, RESULT_HOST_BITS, RESULT_IMMUTABLE, RESULT_IN_USE, RESULT_MALFORMED, RESULT_NO_INTERFACE, RESULT_NO_NEXTHOP, RESULT_NO_VRF, RESULT_NOT_FOUND,
  RESULT_OUT_OF_RANGE, RESULT_TABLE_FULL, RT_LENGTH, RT_NEXTHOP, RT_PREFIX, RT_SIZE, RT_VRF, VR_ID, VR_SIZE,
} from '../../wasm-core/records.ts';

interface RecordKind {
  readonly name: string;
  /** Bytes of one record. */
  readonly size: number;
  /** What a record is about. */
  subject(record: Buffer): string;
  /** What it refers to, by result. */
  references?(record: Buffer): { readonly vrf?: number; readonly nexthop?: number; readonly interface?: number };
}

const dotted = (record: Buffer, at: number): string => record.subarray(at, at + 4).join('.');

/** All kinds by RECORD_*. */
export const RECORD_KINDS: Readonly<Record<number, RecordKind>> = {
  [RECORD_ROUTE]: {
    name: 'route', size: RT_SIZE,
    subject: (r) => `route ${dotted(r, RT_PREFIX)}/${r.readUInt8(RT_LENGTH)} in VRF ${r.readUInt32LE(RT_VRF)}`,
    references: (r) => ({ vrf: r.readUInt32LE(RT_VRF), nexthop: r.readUInt32LE(RT_NEXTHOP) }),
  },
  [RECORD_NEXTHOP]: {
    name: 'nexthop', size: NX_SIZE,
    subject: (r) => `next hop ${r.readUInt32LE(NX_ID)} (kind ${r.readUInt8(NX_KIND)}, MTU ${r.readUInt16LE(NX_MTU)})`,
    references: (r) => ({ interface: r.readUInt16LE(NX_INTERFACE), vrf: r.readUInt32LE(NX_VALUE) }),
  },
  [RECORD_ECMP]: {
    name: 'ecmp', size: EC_SIZE,
    subject: (r) => `slot ${r.readUInt32LE(EC_SLOT)} of ECMP next hop ${r.readUInt32LE(EC_NEXTHOP)}`,
    references: (r) => ({ nexthop: r.readUInt32LE(EC_MEMBER) }),
  },
  [RECORD_LABEL]: {
    name: 'label', size: LB_SIZE,
    subject: (r) => `label ${r.readUInt32LE(LB_LABEL)}`,
    references: (r) => ({ nexthop: r.readUInt32LE(LB_NEXTHOP) }),
  },
  [RECORD_FLOATING_IP]: {
    name: 'floating-ip', size: FL_SIZE,
    subject: (r) => `floating IP ${dotted(r, FL_PUBLIC)} for ${dotted(r, FL_PRIVATE)} on interface ${r.readUInt16LE(FL_INTERFACE)} in VRF ${r.readUInt32LE(FL_VRF)}`,
    references: (r) => ({ vrf: r.readUInt32LE(FL_VRF), interface: r.readUInt16LE(FL_INTERFACE) }),
  },
  [RECORD_INTERFACE]: {
    name: 'interface', size: IX_SIZE,
    subject: (r) => `interface ${r.readUInt32LE(IX_ID)} (MTU ${r.readUInt16LE(IX_MTU)})`,
    references: (r) => ({ vrf: r.readUInt32LE(IX_VRF), interface: r.readUInt16LE(IX_PARENT) }),
  },
  [RECORD_VRF]: { name: 'vrf', size: VR_SIZE, subject: (r) => `VRF ${r.readUInt32LE(VR_ID)}` },
};

/** Why a record was refused: "route 192.0.2.0/24 in VRF 5: there is no next hop 17". */
export function refusalText(kind: number, record: Buffer, code: number): string {
  const known = RECORD_KINDS[kind];
  if (known === undefined) return `record of the unknown kind ${kind}`;
  return `${known.subject(record)}: ${reason(code, known.references?.(record) ?? {})}`;
}

function reason(code: number, refers: { readonly vrf?: number; readonly nexthop?: number; readonly interface?: number }): string {
  switch (code) {
    case RESULT_MALFORMED: return 'a field has a value that means nothing; see wasm-core/records.ts';
    case RESULT_NO_VRF: return `there is no VRF ${refers.vrf ?? ''}; it must come first`;
    case RESULT_NO_NEXTHOP: return `there is no next hop ${refers.nexthop ?? ''}; it must come first`;
    case RESULT_NO_INTERFACE: return `there is no interface ${refers.interface ?? ''}; it must come first`;
    case RESULT_IN_USE: return 'something refers to it still; what refers to it must go first';
    case RESULT_NOT_FOUND: return 'there is none to delete';
    case RESULT_TABLE_FULL: return 'the table is full; the hardware profile or the memory map sets its size';
    case RESULT_OUT_OF_RANGE: return 'a number lies outside of what the hardware profile allows';
    case RESULT_HOST_BITS: return 'bits beyond the prefix length are set; they must be zero';
    case RESULT_IMMUTABLE: return 'it exists with other content, and a next hop never changes; take another id';
    case RESULT_DUPLICATE: return 'another record says something else about the same address';
    default: return `refused with the unknown code ${code}`;
  }
}
