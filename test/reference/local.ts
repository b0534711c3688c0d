/** docs/forwarding.md section 9: packets to an own address. */
import { dropped, droppedWithError, isFragment, payloadOf, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP, protocol, sealHeader } from './packet.ts';
import { byteAt, checksum, onesSum, write16 } from './wire.ts';

const ECHO_REQUEST = 8;

/** The echo reply to a packet for an own address; everything else dies here. */
export function answer(packet: Uint8Array): Uint8Array {
  if (isFragment(packet)) dropped('local_fragment');
  if (protocol(packet) === PROTOCOL_TCP || protocol(packet) === PROTOCOL_UDP) droppedWithError('local_port_unreachable', 3, 3);
  if (protocol(packet) !== PROTOCOL_ICMP) droppedWithError('local_protocol_unreachable', 3, 2);
  const request = payloadOf(packet);
  if (request.length < 8 || byteAt(request, 0) !== ECHO_REQUEST || byteAt(request, 1) !== 0 || onesSum(request) !== 0xffff) dropped('local_icmp');

  const reply = packet.slice();
  reply.set(packet.subarray(16, 20), 12);
  reply.set(packet.subarray(12, 16), 16);
  reply[8] = 64;
  sealHeader(reply);
  const icmp = payloadOf(reply);
  icmp[0] = 0;
  write16(icmp, 2, 0);
  write16(icmp, 2, checksum(icmp));
  return reply;
}
