// What the engine reports of its sessions (RFC 7854), in whatever pieces it comes.
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BmpReader, type BmpMessage } from '../../../mgmt/controller/bgp/bmp.ts';

function message(type: number, body: Buffer, version = 3): Buffer {
  const header = Buffer.from([version, 0, 0, 0, 0, type]);
  header.writeUInt32BE(6 + body.length, 1);
  return Buffer.concat([header, body]);
}
function peerHeader(peer: number, flags = 0): Buffer {
  const header = Buffer.alloc(42);
  header[1] = flags;
  header.writeUInt32BE(peer, 22);
  return header;
}
function tlv(type: number, value: string): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(value.length, 2);
  return Buffer.concat([header, Buffer.from(value)]);
}
const [MONITORING, STATISTICS, DOWN, UP, INITIATION] = [0, 1, 2, 3, 4];

const bytes = fc.uint8Array({ maxLength: 60 }).map((array) => Buffer.from(array));
const peer = fc.nat(0xffffffff);
/** What is written, and what it is. */
const written: fc.Arbitrary<readonly [Buffer, BmpMessage | undefined]> = fc.oneof(
  fc.tuple(peer, fc.boolean(), bytes).map(([its, fourByteAs, update]) => [message(MONITORING!, Buffer.concat([peerHeader(its, fourByteAs ? 0 : 0x20), update])), { kind: 'update', peer: its, fourByteAs, update }] as const),
  fc.tuple(peer, fc.boolean(), bytes).map(([its, up, rest]) => [message(up ? UP! : DOWN!, Buffer.concat([peerHeader(its), rest])), { kind: 'session', peer: its, up }] as const),
  fc.stringMatching(/^[a-z0-9]{1,20}$/).map((name) => [message(INITIATION!, Buffer.concat([tlv(1, 'GoBGP'), tlv(2, name)])), { kind: 'initiation', systemName: name }] as const),
  bytes.map((body) => [message(STATISTICS!, body), undefined] as const),
  fc.tuple(peer, bytes).map(([its, update]) => [message(MONITORING!, Buffer.concat([peerHeader(its, 0x80), update])), undefined] as const),
);

test('messages are what was written, however they are cut', () => {
  fc.assert(fc.property(fc.array(written, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 12 }), (all, cuts) => {
    const stream = Buffer.concat(all.map(([its]) => its));
    const reader = new BmpReader();
    const found: BmpMessage[] = [];
    let from = 0;
    for (const to of [...cuts.map((cut) => Math.min(cut, stream.length)).sort((one, other) => one - other), stream.length]) {
      found.push(...reader.read(stream.subarray(from, to)));
      from = to;
    }
    assert.equal(found, all.flatMap(([, its]) => its ?? []));
  }));
});

test('what is no BMP is refused', () => {
  assert.throws(() => new BmpReader().read(message(INITIATION!, tlv(2, 'x'), 2)), /version 2/);
  assert.throws(() => new BmpReader().read(Buffer.from('GET / HTTP/1.1\r\n')), /BMP/);
  assert.throws(() => new BmpReader().read(Buffer.from([3, 0, 2, 0, 0, MONITORING!])), /length 131072/);
  assert.throws(() => new BmpReader().read(Buffer.from([3, 0, 0, 0, 5, MONITORING!])), /length 5/);
  assert.throws(() => new BmpReader().read(message(MONITORING!, Buffer.alloc(41))), /less than the header/);
});

test('an Initiation without a name, or with one that is cut short, names nobody that is expected', () => {
  const nameOf = (body: Buffer) => new BmpReader().read(message(INITIATION!, body)).map((each) => each.kind === 'initiation' && each.systemName);
  assert.equal(nameOf(tlv(1, 'GoBGP')), ['']);
  assert.equal(nameOf(Buffer.alloc(0)), ['']);
  assert.equal(nameOf(tlv(2, 'abcdef').subarray(0, -2)), ['abcd']);
});

test.run();
