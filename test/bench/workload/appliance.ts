/**
 * The appliance that the forwarding bench measures: one fabric port, 16 workload ports, 65,536 floating IPs over them, 4095
 * tunnels behind one gateway of the fabric, and a label for each of 4096 workload addresses.
 */
import * as L from '../../../wasm-core/layout.ts';
import * as R from '../../../wasm-core/records.ts';
import type { Core } from '../../fixtures/core.ts';
import * as frame from '../../fixtures/frame.ts';
import * as record from '../../fixtures/records.ts';
import type { PackedRecord } from '../../fixtures/records.ts';
import { KEYS, POOL, POOL_DATA, POOL_ENTRY, POOL_LENGTH, POOL_QUEUE } from '../assembly/pool.ts';
import { addressText, coveredAddress } from './routes.ts';
import type { Routes } from './routes.ts';
import type { Random } from './random.ts';

export const WORKLOADS = 16;
export const FLOATING_IPS = 65536;
export const TUNNELS = 4095;
const LABELS = 4096;
/** Frames of the pool, and of one burst: what the fabric's ring holds. */
export const POOL_FRAMES = 8192;
export const BURST = 4096;
export const ROUNDS = BURST / L.VECTOR;

const FABRIC_VRF = 0;
/** The workloads' own network, and where their floating IPs live. */
export const POD_VRF = 1;
export const PUBLIC_VRF = 2;

const FABRIC = 1;
const FIRST_WORKLOAD = 2;
const FIRST_LABEL = 16;
const FIRST_INTERFACE_NEXTHOP = 8192;
const FABRIC_MAC = '02:00:00:00:00:01';
const GATEWAY_MAC = '02:00:00:00:00:fe';
const FABRIC_ADDRESS = '10.0.0.1';

const PRIVATE = 0x0A280000; // 10.40.0.0/16

const workloadOf = (fip: number): number => FIRST_WORKLOAD + (fip % WORKLOADS);
const workloadMac = (id: number): string => `02:00:00:00:01:${id.toString(16).padStart(2, '0')}`;
const podMac = (id: number): string => `02:00:00:00:02:${id.toString(16).padStart(2, '0')}`;
const privateAddress = (fip: number): string => addressText(PRIVATE + fip);
const publicAddress = (fip: number): string => addressText(0xC6120000 + fip); // 198.18.0.0/16, RFC 2544
const remoteAddress = (tunnel: number): string => addressText(0x0A010000 + tunnel); // 10.1.0.0/16

/** What Core needs for it. */
export const CORE_OPTIONS = { frames: 65536, fipBuckets: 65536 };

/** Everything but the public VRFs' routes. @param publicVrfs floating IPs are spread over so many VRFs, from PUBLIC_VRF on */
export function buildAppliance(core: Core, publicVrfs: number, kind: number): void {
  core.apply(record.vrf({ id: FABRIC_VRF }), record.vrf({ id: POD_VRF }));
  for (let i = 0; i < publicVrfs; i++) core.apply(record.vrf({ id: PUBLIC_VRF + i, kind }));

  const up = L.IFF_UP;
  const interfaces: PackedRecord[] = [
    record.iface({ id: FABRIC, kind: L.IFK_FABRIC, flags: up, mac: FABRIC_MAC, mtu: 9000, address: FABRIC_ADDRESS, mask: '255.255.255.0' }),
  ];
  for (let id = FIRST_WORKLOAD; id < FIRST_WORKLOAD + WORKLOADS; id++) {
    interfaces.push(record.iface({
      id, kind: L.IFK_WORKLOAD, flags: up | L.IFF_SOURCE_CHECK, vrf: POD_VRF, mac: workloadMac(id), mtu: 1500, address: '10.40.255.254',
      workload: privateAddress(id - FIRST_WORKLOAD),
    }));
  }
  core.apply(...interfaces);
  core.attach(FABRIC, 0, BURST);
  for (let id = FIRST_WORKLOAD; id < FIRST_WORKLOAD + WORKLOADS; id++) core.attach(id, 0, (2 * BURST) / WORKLOADS);

  const nexthops: PackedRecord[] = [];
  for (let id = 1; id <= TUNNELS; id++) {
    nexthops.push(record.nexthop({
      id, kind: L.NHK_TUNNEL_GRE, flags: L.NHF_EXTERNAL, interface: FABRIC, remote: remoteAddress(id), local: FABRIC_ADDRESS, value: 1000 + id,
      mac: GATEWAY_MAC, gateway: '10.0.0.254',
    }));
  }
  for (let i = 0; i < LABELS; i++) {
    const id = workloadOf(i);
    nexthops.push(record.nexthop({
      id: FIRST_INTERFACE_NEXTHOP + i, kind: L.NHK_INTERFACE, flags: L.NHF_FIP, interface: id, remote: privateAddress(i), mac: podMac(id),
    }));
  }
  core.apply(...nexthops);
  core.apply(record.route({ vrf: POD_VRF, prefix: '10.32.0.0/12', nexthop: 1 }));
  core.apply(...Array.from({ length: LABELS }, (_, i) => record.label({ label: FIRST_LABEL + i, nexthop: FIRST_INTERFACE_NEXTHOP + i })));
  core.apply(...Array.from({ length: FLOATING_IPS }, (_, i) => record.floatingIp({
    public: publicAddress(i), private: privateAddress(i), vrf: PUBLIC_VRF + (i % publicVrfs), interface: workloadOf(i), direction: L.FIPD_BOTH,
  })));
}

/** Applies packed records in batches of the command buffer's size. @throws Error when one is refused */
export function applyPacked(core: Core, kind: number, size: number, records: Uint8Array): void {
  const batch = Math.min(L.COMMAND_SIZE / size, L.RESULTS_SIZE) >>> 0;
  for (let at = 0; at < records.length; at += batch * size) {
    const part = records.subarray(at, at + batch * size);
    core.bytes.set(part, L.COMMAND);
    const refused = core.exports.apply(kind, part.length / size);
    if (refused !== 0) throw new Error(`${refused} records of kind ${kind} were refused, first result code ${core.bytes.subarray(L.RESULTS, L.RESULTS + part.length / size).find((code) => code !== R.RESULT_OK)}`);
  }
}

/** Fills the pool with what workloads send: 64-byte frames, four in five UDP, from addresses that have a floating IP. */
export function fillEgressPool(core: Core, random: Random, routesOf: (vrf: number) => Routes, publicVrfs: number): void {
  for (let i = 0; i < POOL_FRAMES; i++) {
    const fip = random.below(FLOATING_IPS / WORKLOADS) * WORKLOADS + (i % WORKLOADS);
    const id = workloadOf(fip);
    const inner = packet(random, privateAddress(fip), addressText(coveredAddress(random, routesOf(PUBLIC_VRF + (fip % publicVrfs)))));
    put(core, i, id - FIRST_WORKLOAD + 1, frame.ethernet({ dst: workloadMac(id), src: podMac(id) }, inner));
  }
}

/** Fills the pool with what the fabric brings: the same packets in MPLS over GRE, to floating IPs. */
export function fillIngressPool(core: Core, random: Random, routes: Routes): void {
  for (let i = 0; i < POOL_FRAMES; i++) {
    // The burst spreads evenly over the workloads' rings.
    const label = random.below(LABELS / WORKLOADS) * WORKLOADS + (i % WORKLOADS);
    const fip = random.below(FLOATING_IPS / WORKLOADS) * WORKLOADS + (i % WORKLOADS);
    const inner = packet(random, addressText(coveredAddress(random, routes)), publicAddress(fip));
    const tunnelled = frame.gre({}, frame.mpls({ label: FIRST_LABEL + label }, inner));
    const outer = frame.ipv4({ src: remoteAddress(1 + random.below(TUNNELS)), dst: FABRIC_ADDRESS, protocol: 47 }, tunnelled);
    put(core, i, 0, frame.ethernet({ dst: FABRIC_MAC, src: GATEWAY_MAC }, outer));
  }
}

/** Addresses for benchLookup, each route of the set equally often. */
export function writeAddresses(core: Core, random: Random, routes: Routes, count: number): void {
  for (let i = 0; i < count; i++) core.view.setUint32(KEYS + 4 * i, coveredAddress(random, routes));
}

/** Keys for benchFip: pairs of a private address and its interface. */
export function writeFipKeys(core: Core, random: Random, count: number): void {
  for (let i = 0; i < count; i++) {
    const fip = random.below(FLOATING_IPS);
    core.view.setUint32(KEYS + 8 * i, PRIVATE + fip);
    core.view.setUint32(KEYS + 8 * i + 4, workloadOf(fip), true);
  }
}

/** Labels for benchLabels, all of them known. */
export function writeLabels(core: Core, random: Random, count: number): void {
  for (let i = 0; i < count; i++) core.view.setUint32(KEYS + 4 * i, FIRST_LABEL + random.below(LABELS), true);
}

/** An IPv4 packet of 50 bytes: 64 with its Ethernet header. */
function packet(random: Random, src: string, dst: string): Uint8Array {
  const ports = { sport: 1024 + random.below(60000), dport: 53 };
  const tcp = random.below(5) === 0;
  return tcp
    ? frame.ipv4({ src, dst, protocol: 6 }, frame.tcp({ src, dst, ...ports }, frame.counting(10)))
    : frame.ipv4({ src, dst, protocol: 17 }, frame.udp({ src, dst, ...ports }, frame.counting(22)));
}

function put(core: Core, index: number, queue: number, bytes: Uint8Array): void {
  const at = POOL + index * POOL_ENTRY;
  core.view.setUint32(at + POOL_LENGTH, bytes.length, true);
  core.view.setUint32(at + POOL_QUEUE, queue, true);
  core.bytes.set(bytes, at + POOL_DATA);
}
