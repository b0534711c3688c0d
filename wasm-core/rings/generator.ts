/**
 * Load for tests: the other end of a queue whose rings lie in memory, played from within the lcore that owns the queue. It
 * receives frames made from a template, addresses and source ports varying, and takes what is sent, looking where it goes. It
 * answers ARP requests for whatever address, so that next hops resolve. Its words lie behind the rings, in the queue's slot.
 */
import {
  FRAME_HEADROOM, FRAMES, GN_ARP, GN_DESTINATION, GN_GENERATED, GN_LENGTH, GN_MASK, GN_OTHER, GN_RANDOM, GN_SEEN, GN_SUM, GN_TAKEN, GN_TEMPLATE, IF_MAC,
  INTERFACE_SHIFT, INTERFACES, Q_COMPLETION, Q_FILL, Q_INTERFACE, Q_MASKS, Q_RX, Q_TX, R_CONSUMER, R_DESC, R_PRODUCER, RING_GENERATOR, RING_SLOT_SHIFT, RINGS,
  XDP_DESC_SHIFT,
} from '../layout';
import { chunkOf } from './frames';
import { queueAt } from './queue';

const ETHERTYPE_IPV4: u32 = 0x0008; // as a little-endian load of network order
const ETHERTYPE_ARP: u32 = 0x0608;
const PROTOCOL_GRE: u32 = 47;
const IPV4: usize = 14;
/** GRE without options, and one MPLS label. */
const GRE_MPLS: usize = 8;

@inline
function wordsOf(queue: u32): usize {
  return RINGS + ((queue as usize) << RING_SLOT_SHIFT) + RING_GENERATOR;
}

/** How many frames can be received now: empty ones, and room for their descriptors. */
function room(q: usize): u32 {
  const empty: u32 = atomic.load<u32>(load<u32>(q, Q_FILL + R_PRODUCER) as usize) - load<u32>(load<u32>(q, Q_FILL + R_CONSUMER) as usize);
  const used: u32 = load<u32>(load<u32>(q, Q_RX + R_PRODUCER) as usize) - atomic.load<u32>(load<u32>(q, Q_RX + R_CONSUMER) as usize);
  const free: u32 = load<u32>(q, Q_MASKS) + 1 - used;
  return empty < free ? empty : free;
}

/** Data address of the `ahead`-th next received frame. */
@inline
function place(q: usize, ahead: u32): usize {
  const at: u32 = (load<u32>(load<u32>(q, Q_FILL + R_CONSUMER) as usize) + ahead) & load<u32>(q, Q_MASKS + 8);
  return chunkOf(FRAMES + (load<u64>((load<u32>(q, Q_FILL + R_DESC) as usize) + ((at as usize) << 3)) as usize)) + FRAME_HEADROOM;
}

/** Hands the frame over in the `ahead`-th next descriptor. */
@inline
function describe(q: usize, ahead: u32, data: usize, length: u32): void {
  const at: u32 = (load<u32>(load<u32>(q, Q_RX + R_PRODUCER) as usize) + ahead) & load<u32>(q, Q_MASKS);
  const descriptor: usize = (load<u32>(q, Q_RX + R_DESC) as usize) + ((at as usize) << XDP_DESC_SHIFT);
  store<u64>(descriptor, (data - FRAMES) as u64);
  store<u64>(descriptor, length as u64, 8);
}

function deliver(q: usize, count: u32): void {
  const fill: usize = load<u32>(q, Q_FILL + R_CONSUMER) as usize;
  const rx: usize = load<u32>(q, Q_RX + R_PRODUCER) as usize;
  atomic.store<u32>(fill, load<u32>(fill) + count);
  atomic.store<u32>(rx, load<u32>(rx) + count);
}

@inline
function swap32(value: u32): u32 {
  return (rotl<u32>(value, 8) & 0x00FF00FF) | (rotr<u32>(value, 8) & 0xFF00FF00);
}

/** Receives up to `count` frames of the template by a queue that is bound to an interface; returns how many. */
export function generate(queue: u32, count: u32): u32 {
  const q: usize = queueAt(queue);
  const words: usize = wordsOf(queue);
  const iface: u32 = load<u32>(q, Q_INTERFACE);
  const length: u32 = load<u32>(words, GN_LENGTH);
  if (iface == 0 || length == 0) return 0;
  const free: u32 = room(q);
  const n: u32 = free < count ? free : count;
  const mac: usize = INTERFACES + ((iface as usize) << INTERFACE_SHIFT) + IF_MAC;
  store<u32>(words, load<u32>(mac), GN_TEMPLATE);
  store<u16>(words, load<u16>(mac, 4), GN_TEMPLATE + 4);
  const first: v128 = v128.load(words, GN_TEMPLATE);
  const second: v128 = v128.load(words, GN_TEMPLATE + 16);
  const third: v128 = v128.load(words, GN_TEMPLATE + 32);
  const fourth: v128 = v128.load(words, GN_TEMPLATE + 48);
  const base: u32 = load<u32>(words, GN_DESTINATION);
  const mask: u32 = load<u32>(words, GN_MASK);
  const sum: u32 = load<u32>(words, GN_SUM);
  let random: u32 = load<u32>(words, GN_RANDOM);
  for (let i: u32 = 0; i < n; i++) {
    // xorshift32 (Marsaglia, "Xorshift RNGs", 2003)
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    const to: u32 = swap32(base | (random & mask));
    const data: usize = place(q, i);
    v128.store(data, first);
    v128.store(data, second, 16);
    v128.store(data, third, 32);
    v128.store(data, fourth, 48);
    store<u32>(data + IPV4, to, 16);
    store<u16>(data + IPV4, ((random * 0x9E3779B1) >>> 16) as u16, 20);
    let folded: u32 = sum + (to & 0xFFFF) + (to >>> 16);
    folded = (folded & 0xFFFF) + (folded >>> 16);
    folded = (folded & 0xFFFF) + (folded >>> 16);
    store<u16>(data + IPV4, ~folded as u16, 10);
    describe(q, i, data, length);
  }
  store<u32>(words, random, GN_RANDOM);
  store<u64>(words, load<u64>(words, GN_GENERATED) + (n as u64), GN_GENERATED);
  deliver(q, n);
  return n;
}

/** Answers an ARP request (RFC 826) as whoever is asked for; false when there is no frame for it. */
function answerArp(q: usize, request: usize): bool {
  if (room(q) == 0) return false;
  const reply: usize = place(q, 0);
  const asked: u32 = load<u32>(request, 38);
  memory.copy(reply, request, 60);
  memory.copy(reply, request + 6, 6);
  store<u16>(reply, 0x0002, 6); // 02:00, then the address
  store<u32>(reply, asked, 8);
  store<u16>(reply, 0x0200, 20); // reply
  store<u16>(reply, 0x0002, 22);
  store<u32>(reply, asked, 24);
  store<u32>(reply, asked, 28);
  memory.copy(reply + 32, request + 22, 10);
  describe(q, 0, reply, 60);
  deliver(q, 1);
  return true;
}

/**
 * Takes every frame that was sent by a queue, and completes it; returns how many. IPv4 packets are counted by the second byte of
 * the (inner) destination and, when they are in MPLSoGRE, by the last four bits of the tunnel's other end.
 */
export function absorb(queue: u32): u32 {
  const q: usize = queueAt(queue);
  const words: usize = wordsOf(queue);
  const txConsumer: usize = load<u32>(q, Q_TX + R_CONSUMER) as usize;
  const completionProducer: usize = load<u32>(q, Q_COMPLETION + R_PRODUCER) as usize;
  const tx: usize = load<u32>(q, Q_TX + R_DESC) as usize;
  const completion: usize = load<u32>(q, Q_COMPLETION + R_DESC) as usize;
  const mask: u32 = load<u32>(q, Q_MASKS + 4);
  const completionMask: u32 = load<u32>(q, Q_MASKS + 12);
  const end: u32 = atomic.load<u32>(load<u32>(q, Q_TX + R_PRODUCER) as usize);
  const begin: u32 = load<u32>(txConsumer);
  let done: u32 = load<u32>(completionProducer);
  for (let at: u32 = begin; at != end; at++) {
    const offset: u64 = load<u64>(tx + (((at & mask) as usize) << XDP_DESC_SHIFT));
    const data: usize = FRAMES + (offset as usize);
    const type: u32 = load<u16>(data, 12);
    if (type == ETHERTYPE_IPV4) {
      const tunnelled: bool = <u32>load<u8>(data + IPV4, 9) == PROTOCOL_GRE;
      const way: u32 = tunnelled ? <u32>load<u8>(data + IPV4, 19) & 15 : 0;
      const inner: usize = tunnelled ? data + IPV4 + 20 + GRE_MPLS : data + IPV4;
      const seen: usize = words + GN_SEEN + ((((<u32>load<u8>(inner, 17) << 4) | way) as usize) << 2);
      store<u32>(seen, load<u32>(seen) + 1);
    } else if (type == ETHERTYPE_ARP && <u32>load<u16>(data, 20) == 0x0100 && answerArp(q, data)) {
      store<u64>(words, load<u64>(words, GN_ARP) + 1, GN_ARP);
    } else {
      store<u64>(words, load<u64>(words, GN_OTHER) + 1, GN_OTHER);
    }
    store<u64>(completion + (((done & completionMask) as usize) << 3), offset);
    done += 1;
  }
  const n: u32 = end - begin;
  store<u64>(words, load<u64>(words, GN_TAKEN) + (n as u64), GN_TAKEN);
  atomic.store<u32>(txConsumer, end);
  atomic.store<u32>(completionProducer, done);
  return n;
}
