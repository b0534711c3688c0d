import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { frameOf, framesOf } from '../../../mgmt/cli/capture.ts';
import { UsageError } from '../../../mgmt/cli/output.ts';

type Order = 'LE' | 'BE';
const u32 = (order: Order, ...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => (order === 'LE' ? bytes.writeUInt32LE(value, at * 4) : bytes.writeUInt32BE(value, at * 4)));
  return bytes;
};
const u16 = (order: Order, ...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 2);
  values.forEach((value, at) => (order === 'LE' ? bytes.writeUInt16LE(value, at * 2) : bytes.writeUInt16BE(value, at * 2)));
  return bytes;
};

function pcap(order: Order, magic: number, frames: readonly Buffer[], link = 1): Buffer {
  return Buffer.concat([u32(order, magic), u16(order, 2, 4), u32(order, 0, 0, 65535, link), ...frames.flatMap((frame) => [u32(order, 1, 2, frame.length, frame.length), frame])]);
}

function block(order: Order, type: number, body: Buffer): Buffer {
  const padded = Buffer.concat([body, Buffer.alloc((4 - (body.length % 4)) % 4)]);
  return Buffer.concat([u32(order, type, padded.length + 12), padded, u32(order, padded.length + 12)]);
}
function pcapng(order: Order, frames: readonly Buffer[], link = 1): Buffer {
  const [first, ...rest] = frames;
  return Buffer.concat([
    block(order, 0x0a0d0d0a, Buffer.concat([u32(order, 0x1a2b3c4d), u16(order, 1, 0), u32(order, 0xffffffff, 0xffffffff)])),
    block(order, 1, Buffer.concat([u16(order, link, 0), u32(order, 0)])),
    block(order, 4, Buffer.alloc(4)), // name resolution: nothing to us
    ...(first ? [block(order, 3, Buffer.concat([u32(order, first.length), first]))] : []),
    ...rest.map((frame) => block(order, 6, Buffer.concat([u32(order, 0, 0, 0, frame.length, frame.length), frame]))),
  ]);
}

const frames = [Buffer.from('first'), Buffer.from('the second frame'), Buffer.alloc(60, 3)];

for (const order of ['LE', 'BE'] as const) {
  for (const [what, file] of [['pcap, microseconds', pcap(order, 0xa1b2c3d4, frames)], ['pcap, nanoseconds', pcap(order, 0xa1b23c4d, frames)], ['pcapng', pcapng(order, frames)]] as const) {
    test(`${what}, ${order}: every frame, by its number`, () => {
      assert.equal([...framesOf(file)].map(String), frames.map(String));
      assert.is(frameOf(file, 2).toString(), 'the second frame');
      assert.throws(() => frameOf(file, 4), (error: Error) => error instanceof UsageError && error.message === 'the capture has 3 frames, not 4');
    });
    test(`${what}, ${order}: cut anywhere it gives whole frames or says where it ends`, () => {
      for (let length = 0; length < file.length; length++) {
        try {
          const found = [...framesOf(file.subarray(0, length))].map(String);
          assert.equal(found, frames.map(String).slice(0, found.length));
        } catch (error) {
          assert.instance(error, UsageError);
        }
      }
    });
  }
}

test('another link type is refused', () => {
  assert.throws(() => [...framesOf(pcap('LE', 0xa1b2c3d4, frames, 113))], /link type 113; only Ethernet/);
  assert.throws(() => [...framesOf(pcapng('LE', frames, 113))], /link type 113/);
});

test('bytes of no capture are refused, with no other error and no endless loop', () => {
  const head = fc.constantFrom(Buffer.alloc(0), pcap('LE', 0xa1b2c3d4, []), pcapng('LE', []), pcapng('BE', []));
  fc.assert(fc.property(head, fc.uint8Array({ maxLength: 100 }), (start, bytes) => {
    try {
      for (const frame of framesOf(Buffer.concat([start, bytes]))) assert.ok(frame.length <= 200);
    } catch (error) {
      assert.instance(error, UsageError);
    }
  }));
});

test.run();
