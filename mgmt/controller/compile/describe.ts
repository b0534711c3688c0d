/** What a packed record is about, for people: the same record has the same description, whatever it says. */
import * as R from '../../../wasm-core/records.ts';
import { formatAddress } from '../model/address.ts';
import { SIZES, type Batch } from './pack.ts';

/** "route 101.101.101.3/32 in vrf 2"; an index beyond the batch is told as such, since it comes from outside. */
export function describeRecord(batch: Batch | undefined, index: number): string {
  if (!batch || index >= batch.count) return `record ${index} of an unknown batch`;
  const { records } = batch;
  const at = index * SIZES[batch.kind]!;
  const u32 = (offset: number): number => records.readUInt32LE(at + offset);
  const address = (offset: number): string => formatAddress(records.readUInt32BE(at + offset));
  switch (batch.kind) {
    case R.RECORD_ROUTE: return `route ${address(R.RT_PREFIX)}/${records[at + R.RT_LENGTH]} in vrf ${u32(R.RT_VRF)}`;
    case R.RECORD_NEXTHOP: return `nexthop ${u32(R.NX_ID)}`;
    case R.RECORD_ECMP: return `nexthop ${u32(R.EC_NEXTHOP)} slot ${u32(R.EC_SLOT)}`;
    case R.RECORD_LABEL: return `label ${u32(R.LB_LABEL)}`;
    case R.RECORD_FLOATING_IP: return `floating-ip ${address(R.FL_PUBLIC)} in vrf ${u32(R.FL_VRF)} of interface ${records.readUInt16LE(at + R.FL_INTERFACE)}`;
    case R.RECORD_INTERFACE: return `interface ${u32(R.IX_ID)}`;
    case R.RECORD_VRF: return `vrf ${u32(R.VR_ID)}`;
    default: return `record ${index} of kind ${batch.kind}`;
  }
}
