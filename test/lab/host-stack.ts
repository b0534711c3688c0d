/**
 * A small IPv4 host in TypeScript: ARP, ICMP echo, and TCP connections that are Node streams. It plays the Internet host and the pods
 * where the lab may not make network namespaces. Its wire is a datagram socket that carries Ethernet frames, the other end of an
 * appliance's `socket` port.
 */
import { createSocket, type Socket } from 'node:dgram';
import { TcpConnection, TCP_PROTOCOL, parseTcp, type Segment } from './host-tcp.ts';
import { addressText, checksum, ipv4Header, packAddress, parseAddress, parseMac, pseudoSum } from './packets.ts';

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_ARP = 0x0806;
const ICMP_PROTOCOL = 1;
const BROADCAST = Buffer.alloc(6, 0xff);

export interface HostOptions {
  address: string;
  prefixLength: number;
  /** Next hop for everything outside the own prefix. */
  gateway: string;
  mac: string;
  /** UDP ports on 127.0.0.1: ours, and the appliance's. */
  localPort: number;
  peerPort: number;
  mtu?: number;
}

/** Round-trip times in milliseconds of the echo requests that were answered. */
export interface PingResult {
  sent: number;
  received: number;
  roundTripMs: number[];
}

export class HostStack {
  readonly address: number;
  readonly mss: number;
  readonly #mac: Buffer;
  readonly #mask: number;
  readonly #gateway: number;
  readonly #socket: Socket;
  readonly #peerPort: number;
  readonly #neighbours = new Map<number, Buffer>();
  readonly #waiting = new Map<number, Buffer[]>();
  readonly #echoes = new Map<string, (roundTripMs: number) => void>();
  readonly #connections = new Map<string, TcpConnection>();
  readonly #listeners = new Map<number, (connection: TcpConnection) => void>();
  #identification = 1;
  #nextPort = 41000;
  #echoId = 1;

  private constructor(options: HostOptions, socket: Socket) {
    this.address = parseAddress(options.address);
    this.mss = (options.mtu ?? 1500) - 40;
    this.#mask = options.prefixLength === 0 ? 0 : (~0 << (32 - options.prefixLength)) >>> 0;
    this.#gateway = parseAddress(options.gateway);
    this.#mac = parseMac(options.mac);
    this.#peerPort = options.peerPort;
    this.#socket = socket;
    socket.on('message', (frame) => this.#receive(frame));
    // The appliance may not be up yet, or be restarting: a frame on a dead wire is lost, nothing more.
    socket.on('error', () => {});
  }

  static async open(options: HostOptions): Promise<HostStack> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(options.localPort, '127.0.0.1', () => {
        socket.removeListener('error', reject);
        resolve();
      });
    });
    return new HostStack(options, socket);
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.destroy();
    this.#socket.close();
  }

  /** Echo requests of 56 bytes, one per interval, each with its own sequence number; waits one second for the last answers. */
  async ping(destination: string, count: number, intervalMs: number): Promise<PingResult> {
    const to = parseAddress(destination);
    const id = this.#echoId++ & 0xffff;
    const answers: Promise<number | undefined>[] = [];
    for (let sequence = 1; sequence <= count; sequence++) {
      if (sequence > 1) await new Promise((resolve) => setTimeout(resolve, intervalMs));
      answers.push(this.#echo(to, id, sequence));
    }
    const roundTripMs = (await Promise.all(answers)).filter((time) => time !== undefined);
    return { sent: count, received: roundTripMs.length, roundTripMs };
  }

  /** Calls back with each connection made to a port. */
  listen(port: number, accept: (connection: TcpConnection) => void): void {
    if (this.#listeners.has(port)) throw new Error(`port ${port} of ${addressText(this.address)} is already listened on`);
    this.#listeners.set(port, accept);
  }

  unlisten(port: number): void {
    this.#listeners.delete(port);
  }

  /** Opens a connection; settles when it is established. */
  async connect(destination: string, port: number): Promise<TcpConnection> {
    const peer = { address: parseAddress(destination), port };
    const connection = this.#open(peer.address, peer.port, this.#nextPort++);
    connection.open();
    await connection.established;
    return connection;
  }

  #echo(to: number, id: number, sequence: number): Promise<number | undefined> {
    const message = Buffer.alloc(64);
    message[0] = 8;
    message.writeUInt16BE(id, 4);
    message.writeUInt16BE(sequence, 6);
    for (let i = 8; i < 64; i++) message[i] = i;
    message.writeUInt16BE(checksum(message), 2);
    const sentAt = performance.now();
    const key = `${id}/${sequence}`;
    return new Promise((resolve) => {
      const timeout = setTimeout(() => {
        this.#echoes.delete(key);
        resolve(undefined);
      }, 1000);
      this.#echoes.set(key, () => {
        clearTimeout(timeout);
        this.#echoes.delete(key);
        resolve(performance.now() - sentAt);
      });
      this.#sendIpv4(to, ICMP_PROTOCOL, message);
    });
  }

  #open(address: number, port: number, localPort: number): TcpConnection {
    const key = `${address}/${port}/${localPort}`;
    const connection = new TcpConnection({
      local: { address: this.address, port: localPort },
      peer: { address, port },
      mss: this.mss,
      send: (segment) => this.#sendIpv4(address, TCP_PROTOCOL, segment),
      closed: () => this.#connections.delete(key),
    });
    this.#connections.set(key, connection);
    // Whoever reads, writes or waits for it gets the error there; without anyone it must not end the process.
    connection.on('error', () => {});
    return connection;
  }

  #receive(frame: Buffer): void {
    if (frame.length < 14) return;
    if (!frame.subarray(0, 6).equals(this.#mac) && !frame.subarray(0, 6).equals(BROADCAST)) return;
    const type = frame.readUInt16BE(12);
    if (type === ETHERTYPE_ARP) this.#receiveArp(frame);
    else if (type === ETHERTYPE_IPV4) this.#receiveIpv4(frame.subarray(14));
  }

  /** RFC 826: answers for the own address; learns from replies to own questions and from who asks for us. */
  #receiveArp(frame: Buffer): void {
    if (frame.length < 42 || frame.readUInt32BE(14) !== 0x00010800) return;
    const operation = frame.readUInt16BE(20);
    const senderMac = Buffer.from(frame.subarray(22, 28));
    const sender = frame.readUInt32BE(28);
    const target = frame.readUInt32BE(38);
    if (target !== this.address) return;
    this.#neighbours.set(sender, senderMac);
    for (const packet of this.#waiting.get(sender) ?? []) this.#sendFrame(senderMac, ETHERTYPE_IPV4, packet);
    this.#waiting.delete(sender);
    if (operation === 1) this.#sendArp(2, senderMac, sender);
  }

  #sendArp(operation: 1 | 2, targetMac: Buffer, target: number): void {
    const arp = Buffer.alloc(28);
    arp.writeUInt32BE(0x00010800, 0);
    arp.writeUInt16BE(0x0604, 4);
    arp.writeUInt16BE(operation, 6);
    this.#mac.copy(arp, 8);
    packAddress(arp, 14, this.address);
    if (operation === 2) targetMac.copy(arp, 18);
    packAddress(arp, 24, target);
    this.#sendFrame(targetMac, ETHERTYPE_ARP, arp);
  }

  #receiveIpv4(packet: Buffer): void {
    if (packet.length < 20 || packet[0] !== 0x45 || checksum(packet.subarray(0, 20)) !== 0) return;
    const total = packet.readUInt16BE(2);
    if (total > packet.length || packet.readUInt32BE(16) !== this.address || (packet.readUInt16BE(6) & 0x3fff) !== 0) return;
    const source = packet.readUInt32BE(12);
    const payload = packet.subarray(20, total);
    if (packet[9] === ICMP_PROTOCOL) this.#receiveIcmp(source, payload);
    else if (packet[9] === TCP_PROTOCOL) this.#receiveTcp(source, payload);
  }

  #receiveIcmp(source: number, message: Buffer): void {
    if (message.length < 8 || checksum(message) !== 0) return;
    if (message[0] === 8) {
      const reply = Buffer.from(message);
      reply[0] = 0;
      reply.writeUInt16BE(0, 2);
      reply.writeUInt16BE(checksum(reply), 2);
      this.#sendIpv4(source, ICMP_PROTOCOL, reply);
    } else if (message[0] === 0) {
      this.#echoes.get(`${message.readUInt16BE(4)}/${message.readUInt16BE(6)}`)?.(0);
    }
  }

  #receiveTcp(source: number, bytes: Buffer): void {
    if (checksum(bytes, pseudoSum(source, this.address, TCP_PROTOCOL, bytes.length)) !== 0) return;
    const segment = parseTcp(bytes);
    if (segment === undefined) return;
    const connection = this.#connections.get(`${source}/${segment.sourcePort}/${segment.destinationPort}`);
    if (connection !== undefined) connection.receive(segment);
    else this.#accept(source, segment);
  }

  #accept(source: number, segment: Segment): void {
    const accept = this.#listeners.get(segment.destinationPort);
    if (accept === undefined || !segment.syn || segment.ack) return;
    const connection = this.#open(source, segment.sourcePort, segment.destinationPort);
    connection.receive(segment);
    connection.established.then(() => accept(connection), () => {});
  }

  #sendIpv4(destination: number, protocol: number, payload: Buffer): void {
    const header = ipv4Header({ source: this.address, destination, protocol, length: 20 + payload.length, identification: this.#identification++ & 0xffff });
    const packet = Buffer.concat([header, payload]);
    const nextHop = (((destination ^ this.address) & this.#mask) >>> 0) === 0 ? destination : this.#gateway;
    const mac = this.#neighbours.get(nextHop);
    if (mac !== undefined) return this.#sendFrame(mac, ETHERTYPE_IPV4, packet);
    const waiting = this.#waiting.get(nextHop) ?? [];
    if (waiting.length < 64) waiting.push(packet);
    this.#waiting.set(nextHop, waiting);
    this.#sendArp(1, BROADCAST, nextHop);
  }

  #sendFrame(destination: Buffer, type: number, payload: Buffer): void {
    const frame = Buffer.allocUnsafe(14 + payload.length);
    destination.copy(frame, 0);
    this.#mac.copy(frame, 6);
    frame.writeUInt16BE(type, 12);
    payload.copy(frame, 14);
    this.#socket.send(frame, this.#peerPort, '127.0.0.1');
  }
}
