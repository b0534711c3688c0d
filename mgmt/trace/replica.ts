/** An appliance's state in a core of its own, here: what the appliance would do with a packet, by the very code that it runs. */
import { applyBatch, faultOf } from '../../firmware/host/apply.ts';
import { instantiate } from '../../firmware/host/core-instance.ts';
import { Names } from '../../firmware/host/names.ts';
import { readTrace, wordText, type TraceEvent } from '../../firmware/host/trace-events.ts';
import { formatTrace, type Trace, type TraceNames } from '../../firmware/host/trace.ts';
import { Stage } from '../../firmware/rehearsal/stage.ts';
import type { Update } from '../../proto/sync.ts';
import {
  FRAME_HEADROOM, IF_ADDRESS, IF_KIND, IF_MAC, IF_PARENT, IF_TX_QUEUE, IF_VLAN, IF_VRF, INTERFACE_SHIFT, INTERFACES, NEXTHOP_SHIFT, NEXTHOPS, NH_KIND, NH_REMOTE, NHK_TUNNEL_GRE, TRACE_FRAME,
} from '../../wasm-core/layout.ts';
import { addressBytes, arpRequest, ipv4Frame, macBytes } from './packet.ts';

/** Room for 262,144 floating IPs. */
const FIP_BUCKETS = 65_536;
/** Ports and neighbours that one packet may need. */
const MOST_TRIES = 16;

export interface InterfaceRecord {
  readonly id: number;
  readonly name: string;
  readonly kind: number;
  readonly vrf: number;
  readonly vlan: number;
  readonly parent: number;
  readonly address: string;
}

/** A packet's way through one appliance. */
export interface Passed {
  /** In the tables' own names. */
  readonly trace: Trace;
  readonly events: readonly TraceEvent[];
  readonly interface: InterfaceRecord;
  /** The frame that was traced, and the interface that it was given to: a VLAN's parent. */
  readonly frame: Uint8Array;
  readonly port: InterfaceRecord;
  /** Where it leaves, and to whom; undefined unless it does. */
  readonly out: { readonly interface: InterfaceRecord; readonly neighbour: string } | undefined;
  /** The same in other names. Only until the next packet passes. */
  tell(names: TraceNames): Trace;
}

export class Replica {
  readonly appliance: string;
  /** Of the state that it has; 0: not all of it yet. */
  version = 0;
  readonly names = new Names();
  readonly #stage: Stage;
  readonly #attached = new Set<number>();
  readonly #neighbourMac: (address: string) => string;

  /** @param neighbourMac of whoever has an address on a subnet of the appliance */
  constructor(appliance: string, module: WebAssembly.Module, neighbourMac: (address: string) => string) {
    this.appliance = appliance;
    this.#neighbourMac = neighbourMac;
    this.#stage = new Stage((memory) => instantiate(module, memory), FIP_BUCKETS);
  }

  /** Part of its state. @throws Error when a record cannot be taken */
  take(update: Update): void {
    const fault = faultOf(update);
    if (fault !== undefined) throw new Error(`state of ${this.appliance}: ${fault}`);
    const { views, core } = this.#stage;
    for (const batch of update.batches) {
      for (const [refusal] of applyBatch(views, core, batch)) if (refusal) throw new Error(`state of ${this.appliance}: ${refusal.reason}`);
    }
    core.advance();
    core.collect();
    this.names.take(update.names);
    this.version = update.version;
  }

  /** An interface by the name that the controller gives it. */
  interfaceCalled(name: string): InterfaceRecord | undefined {
    const [id] = [...this.names.maps().interfaces ?? []].find(([, each]) => each === name) ?? [];
    return id === undefined ? undefined : this.interface(id);
  }

  interface(id: number): InterfaceRecord {
    const { u8, u16, u32 } = this.#stage.views;
    const at = INTERFACES + (id << INTERFACE_SHIFT);
    return {
      id, name: this.names.name('INTERFACE', id), kind: u8[at + IF_KIND]!, vrf: u32[(at + IF_VRF) >>> 2]!, vlan: u16[(at + IF_VLAN) >>> 1]!,
      parent: u16[(at + IF_PARENT) >>> 1]!, address: wordText(u32[(at + IF_ADDRESS) >>> 2]!),
    };
  }

  /** Where a tunnel next hop leads; empty when it is none. */
  tunnelEnd(nexthop: number): string {
    const { u8, u32 } = this.#stage.views;
    const at = NEXTHOPS + nexthop * 2 ** NEXTHOP_SHIFT;
    return u8[at + NH_KIND] === NHK_TUNNEL_GRE ? wordText(u32[(at + NH_REMOTE) >>> 2]!) : '';
  }

  /**
   * A packet comes in by an interface. It is traced, and then forwarded for real, so that what it leaves behind (flows) is there for its
   * answer. Whoever is asked for by ARP answers.
   */
  pass(into: InterfaceRecord, packet: Uint8Array): Passed {
    const port = into.parent === 0 ? into : this.interface(into.parent);
    const at = INTERFACES + (into.id << INTERFACE_SHIFT) + IF_MAC;
    const frame = ipv4Frame(this.#stage.views.u8.slice(at, at + 6), macBytes(this.#neighbourMac('0.0.0.0')), into.vlan, packet);
    this.#attach(port.id);
    for (let tries = 0; ; tries++) {
      const { trace, events } = this.#trace(port.id, frame);
      const last = events.at(-1);
      const again = tries < MOST_TRIES && last !== undefined
        && (trace.drop === 'tx_no_queue' && this.#attach(last.txInterface) || trace.verdict === 'hold' && this.#meet(last.args[1]!, wordText(last.args[2]!)));
      if (again) continue;
      const passed: Passed = {
        trace, events, interface: into, frame, port,
        out: trace.verdict === 'transmit' && last !== undefined ? { interface: this.interface(last.txInterface), neighbour: neighbourOf(events) } : undefined,
        tell: (names) => this.#tell(names, port.id, frame),
      };
      if (trace.verdict === 'transmit') this.#stage.forward([{ interface: port.id, bytes: frame }]);
      return passed;
    }
  }

  #trace(id: number, frame: Uint8Array): { trace: Trace; events: TraceEvent[] } {
    const { views, core } = this.#stage;
    views.u8.set(frame, TRACE_FRAME + FRAME_HEADROOM);
    core.trace(id, frame.length);
    return { trace: this.#tell(this.names.maps(), id, frame), events: readTrace(new DataView(views.memory.buffer), views.u8) };
  }

  #tell(names: TraceNames, id: number, frame: Uint8Array): Trace {
    const { views } = this.#stage;
    return formatTrace({ view: new DataView(views.memory.buffer), bytes: views.u8 }, names, id, frame);
  }

  /** Gives an interface a port, if its appliance would have one for it; false: it has one, or there is none. */
  #attach(id: number): boolean {
    const { parent } = this.interface(id);
    const port = parent === 0 ? id : parent;
    if (this.#attached.has(id) || this.names.port(port) === '') return false;
    this.#attached.add(id);
    if (!this.#attached.has(port) || parent === 0) {
      this.#attached.add(port);
      this.#stage.attach(port);
    }
    const { u16 } = this.#stage.views;
    const queueAt = (each: number): number => (INTERFACES + (each << INTERFACE_SHIFT) + IF_TX_QUEUE) >>> 1;
    u16[queueAt(id)] = u16[queueAt(port)]!;
    return true;
  }

  /** A neighbour makes itself known. False: it is no neighbour that could. */
  #meet(id: number, address: string): boolean {
    const { address: own, vlan, parent } = this.interface(id);
    if (own === '0.0.0.0' || address === '0.0.0.0') return false;
    const port = parent === 0 ? id : parent;
    this.#attach(port);
    this.#stage.forward([{ interface: port, bytes: arpRequest(macBytes(this.#neighbourMac(address)), addressBytes(address), addressBytes(own), vlan) }]);
    return true;
  }
}

/** Whom the traced packet is handed to, by address; empty for a workload, whose MAC the controller gave. */
function neighbourOf(events: readonly TraceEvent[]): string {
  const put = events.findLast(({ node, packet }) => packet === 0 && (node === 'encapsulate' || node === 'ethernet-output'));
  const address = wordText(put?.args[2] ?? 0);
  return address === '0.0.0.0' ? '' : address;
}
