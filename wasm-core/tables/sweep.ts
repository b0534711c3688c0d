/** Deletes stale records, some in each call, so that the control instance is never held for long. */
import { MAX_VRFS, RESULTS } from '../layout';
import { RECORD_ECMP, RECORD_NEXTHOP, RECORD_ROUTE } from '../records';
import { apply } from './control';
import { pack, PACK_STALE, packCursor, packVisits, PIECE, PIECE_VISITS } from './dump';
import { vrfExists } from './vrf';
import { addTo, staleCount, W_SWEEP, W_SWEEP_CURSOR, W_SWEEP_GONE, W_SWEEP_PART, W_SWEEP_VRF } from './writer';

/**
 * Deletes stale records of a kind (of next hops: stale ECMP slots first, not counted); what is still in use stays. Returns how many
 * went in this call; the u32 at RESULTS is 1 while there may be more, and the next call for this kind goes on there.
 */
export function sweep(kind: u32): u32 {
  if (load<u32>(W_SWEEP) != kind + 1) {
    store<u32>(W_SWEEP, kind + 1);
    begin(kind == RECORD_NEXTHOP ? RECORD_ECMP : kind);
  }
  const part: u32 = load<u32>(W_SWEEP_PART);
  const gone: u32 = part == RECORD_ROUTE ? sweepRoutes() : sweepPiece(part, 0);
  addTo(W_SWEEP_GONE, gone);
  if (load<u32>(W_SWEEP_CURSOR) == 0 && load<u32>(W_SWEEP_VRF) == 0) endPass(kind, part);
  store<u32>(RESULTS, load<u32>(W_SWEEP) == 0 ? 0 : 1);
  return part == kind ? gone : 0;
}

function begin(part: u32): void {
  store<u32>(W_SWEEP_PART, part);
  store<u32>(W_SWEEP_VRF, 0);
  store<u32>(W_SWEEP_CURSOR, 0);
  store<u32>(W_SWEEP_GONE, 0);
}

/** All were looked at. What went may have been the last that held another one: then once more. */
function endPass(kind: u32, part: u32): void {
  if (load<u32>(W_SWEEP_GONE) != 0 && staleCount(part) != 0) begin(part);
  else if (part != kind) begin(kind);
  else store<u32>(W_SWEEP, 0);
}

/** Deletes from the cursor on and moves it; 0 = the end. */
function sweepPiece(kind: u32, vrf: u32): u32 {
  const packed: u32 = pack(kind, vrf, load<u32>(W_SWEEP_CURSOR), PACK_STALE);
  store<u32>(W_SWEEP_CURSOR, packCursor());
  return packed == 0 ? 0 : packed - apply(kind, packed);
}

/** Routes of one VRF after another, until it is enough for one call; at the end the VRF is 0 again. */
function sweepRoutes(): u32 {
  let gone: u32 = 0;
  let visits: u32 = 0;
  for (let vrf: u32 = load<u32>(W_SWEEP_VRF); vrf < MAX_VRFS; vrf++) {
    if (staleCount(RECORD_ROUTE) == 0) break;
    if (vrfExists(vrf) == 0) continue;
    gone += sweepPiece(RECORD_ROUTE, vrf);
    visits += packVisits();
    const isWhole: bool = load<u32>(W_SWEEP_CURSOR) == 0;
    if (!isWhole || gone >= PIECE || visits >= PIECE_VISITS) {
      store<u32>(W_SWEEP_VRF, isWhole ? vrf + 1 : vrf);
      if (isWhole && vrf + 1 == MAX_VRFS) break;
      return gone;
    }
  }
  store<u32>(W_SWEEP_VRF, 0);
  store<u32>(W_SWEEP_CURSOR, 0);
  return gone;
}
