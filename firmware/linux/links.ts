/** Veth pairs, addresses and routes: the messages of rtnetlink(7), include/uapi/linux/if_link.h and rtnetlink.h. */
import { EAFNOSUPPORT, SystemCallError } from './errors.ts';
import { decodeAttributes, encodeAttributes, type Attribute, type Netlink } from './netlink.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
const AF_INET = 2;
const AF_INET6 = 10;
const IFF_UP = 1;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_AF_SPEC = 26;
const IFLA_NET_NS_FD = 28;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RTN_UNICAST = 1;
/** Bytes of struct ifinfomsg, ifaddrmsg, rtmsg. */
const LINK_BYTES = 16;
const ADDRESS_BYTES = 8;
const ROUTE_BYTES = 12;

export interface VethPair {
  /** Of the end that stands where the netlink socket does; it is up. */
  readonly name: string;
  /** Of that end, for people and for finding it again: `ip link` shows it. */
  readonly alias: string;
  readonly mtu: number;
  readonly peer: {
    readonly name: string;
    /** Descriptor of the network namespace that it is made in. */
    readonly namespace: number;
    /** 02:00:0a:20:00:03 */
    readonly mac: string;
  };
}

/** Makes both ends where they belong, with one queue each. Neither gives itself an IPv6 address, so neither says anything by itself. */
export async function createVeth(netlink: Netlink, { name, alias, mtu, peer }: VethPair): Promise<void> {
  const queues: Attribute[] = [{ type: IFLA_MTU, value: mtu }, { type: IFLA_NUM_TX_QUEUES, value: 1 }, { type: IFLA_NUM_RX_QUEUES, value: 1 }];
  const peerAttributes = encodeAttributes([
    { type: IFLA_IFNAME, value: peer.name }, { type: IFLA_NET_NS_FD, value: peer.namespace }, { type: IFLA_ADDRESS, value: macBytes(peer.mac) }, ...queues,
  ]);
  await netlink.change(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, Buffer.concat([linkHeader(0, 0), encodeAttributes([
    { type: IFLA_IFNAME, value: name }, ...queues,
    { type: IFLA_LINKINFO, value: [
      { type: IFLA_INFO_KIND, value: 'veth' },
      { type: IFLA_INFO_DATA, value: [{ type: VETH_INFO_PEER, value: Buffer.concat([linkHeader(0, 0), peerAttributes]) }] },
    ] },
  ])]), `making the veth pair ${name}, ${peer.name}`);
  await netlink.change(RTM_NEWLINK, 0, Buffer.concat([linkHeader(0, 0), encodeAttributes([{ type: IFLA_IFNAME, value: name }, { type: IFLA_IFALIAS, value: alias }])]), `naming ${name}`);
  await setUp(netlink, name);
}

/** Sets a device up, without an IPv6 address of its own making. */
export async function setUp(netlink: Netlink, name: string): Promise<void> {
  const named: Attribute = { type: IFLA_IFNAME, value: name };
  const silent: Attribute = { type: IFLA_AF_SPEC, value: [{ type: AF_INET6, value: [{ type: IFLA_INET6_ADDR_GEN_MODE, value: Uint8Array.of(IN6_ADDR_GEN_MODE_NONE) }] }] };
  await netlink.change(RTM_NEWLINK, 0, Buffer.concat([linkHeader(0, 0), encodeAttributes([named, silent])]), `silencing ${name}`).catch((error: unknown) => {
    if (!(error instanceof SystemCallError) || error.errno !== EAFNOSUPPORT) throw error; // a kernel without IPv6 is silent
  });
  await netlink.change(RTM_NEWLINK, 0, Buffer.concat([linkHeader(IFF_UP, IFF_UP), encodeAttributes([named])]), `setting up ${name}`);
}

/** Takes a device away, and a veth's other end with it. @throws SystemCallError (ENODEV: there is none of that name) */
export async function deleteLink(netlink: Netlink, name: string): Promise<void> {
  await netlink.change(RTM_DELLINK, 0, Buffer.concat([linkHeader(0, 0), encodeAttributes([{ type: IFLA_IFNAME, value: name }])]), `deleting ${name}`);
}

/** Names of the devices and their aliases, '' where one has none. */
export async function listLinks(netlink: Netlink): Promise<{ name: string; alias: string }[]> {
  const text = (bytes: Buffer | undefined): string => (bytes === undefined ? '' : bytes.toString('utf8').replace(/\0.*$/s, ''));
  return (await netlink.list(RTM_GETLINK, linkHeader(0, 0), 'listing devices')).map((answer) => {
    const attributes = decodeAttributes(answer.subarray(LINK_BYTES));
    return { name: text(attributes.get(IFLA_IFNAME)), alias: text(attributes.get(IFLA_IFALIAS)) };
  });
}

/** Gives a device (by its index) an IPv4 address. @param length of its subnet, which becomes reachable over the device */
export async function addAddress(netlink: Netlink, index: number, address: string, length: number): Promise<void> {
  const header = Buffer.alloc(ADDRESS_BYTES);
  header.set([AF_INET, length, 0, RT_SCOPE_UNIVERSE]);
  header.writeUInt32LE(index, 4);
  const bytes = addressBytes(address);
  await netlink.change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, Buffer.concat([header, encodeAttributes([{ type: IFA_LOCAL, value: bytes }, { type: IFA_ADDRESS, value: bytes }])]), `adding the address ${address}/${length}`);
}

/** IPv4 addresses with the lengths of their subnets, of the device of that index. */
export async function listAddresses(netlink: Netlink, index: number): Promise<string[]> {
  const header = Buffer.alloc(ADDRESS_BYTES);
  header[0] = AF_INET;
  return (await netlink.list(RTM_GETADDR, header, 'listing addresses')).filter((answer) => answer.readUInt32LE(4) === index).map((answer) => {
    const attributes = decodeAttributes(answer.subarray(ADDRESS_BYTES));
    return `${(attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS) ?? Buffer.alloc(4)).join('.')}/${answer[1]}`;
  });
}

/** A route of the main table: by a gateway that is reachable over the device. */
export async function addRoute(netlink: Netlink, index: number, destination: string, length: number, gateway: string): Promise<void> {
  await netlink.change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, Buffer.concat([routeHeader(length), encodeAttributes([
    ...(length === 0 ? [] : [{ type: RTA_DST, value: addressBytes(destination) }]),
    { type: RTA_GATEWAY, value: addressBytes(gateway) }, { type: RTA_OIF, value: index },
  ])]), `adding the route ${destination}/${length} by ${gateway}`);
}

/** Prefixes ("0.0.0.0/0") that the main table has routes to over the device of that index. */
export async function listRoutes(netlink: Netlink, index: number): Promise<string[]> {
  const answers = await netlink.list(RTM_GETROUTE, routeHeader(0), 'listing routes');
  return answers.filter((answer) => answer[0] === AF_INET && answer[4] === RT_TABLE_MAIN).flatMap((answer) => {
    const attributes = decodeAttributes(answer.subarray(ROUTE_BYTES));
    if (attributes.get(RTA_OIF)?.readUInt32LE(0) !== index) return [];
    return [`${(attributes.get(RTA_DST) ?? Buffer.alloc(4)).join('.')}/${answer[1]}`];
  });
}

function linkHeader(flags: number, change: number): Buffer {
  const header = Buffer.alloc(LINK_BYTES);
  header.writeUInt32LE(flags, 8);
  header.writeUInt32LE(change, 12);
  return header;
}

function routeHeader(length: number): Buffer {
  const header = Buffer.alloc(ROUTE_BYTES);
  header.set([AF_INET, length, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, RT_SCOPE_UNIVERSE, RTN_UNICAST]);
  return header;
}

const macBytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex');
const addressBytes = (address: string): Uint8Array => Uint8Array.from(address.split('.').map(Number));
