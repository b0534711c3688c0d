/**
 * As much of protobuf's wire format as the agent needs to pass the sync stream on unopened (the encoding guide of protobuf.dev,
 * "Message Structure"): a message from the controller and its ApplyRequest differ in the number of the one field around
 * the same bytes, so passing on is a change of that tag.
 */

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

export interface Field {
  number: number;
  type: number;
  /** Value of a varint, length of a length-delimited field; 0 for fixed ones. */
  value: number;
  /** Offsets: of the tag, of the body (what a length counts), and one past the field. */
  start: number;
  body: number;
  end: number;
}

/** The top-level fields of an encoded message. Throws a RangeError where it is cut off or of an unknown wire type. */
export function* fieldsOf(bytes: Buffer): Generator<Field> {
  let at = 0;
  /** Varints up to 2^53; what is above is not ours. */
  function varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++];
      if (byte === undefined) throw new RangeError(`the message ends inside a varint, at byte ${at - 1}`);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
      if (factor > 2 ** 63) throw new RangeError(`a varint longer than ten bytes ends at byte ${at - 1}`);
    }
  }
  while (at < bytes.length) {
    const start = at;
    const tag = varint();
    const type = tag % 8;
    let value = 0;
    if (type === VARINT || type === LENGTH_DELIMITED) value = varint();
    const body = at;
    if (type === LENGTH_DELIMITED) at += value;
    else if (type === FIXED64) at += 8;
    else if (type === FIXED32) at += 4;
    else if (type !== VARINT) throw new RangeError(`unknown wire type ${type} at byte ${start}`);
    if (at > bytes.length) throw new RangeError(`the field at byte ${start} reaches ${at - bytes.length} bytes beyond the message`);
    yield { number: Math.floor(tag / 8), type, value, start, body, end: at };
  }
}

/** The last field of `numbers` in the message, as a oneof is read; undefined when it has none of them. */
export function oneofOf(bytes: Buffer, numbers: readonly number[]): Field | undefined {
  let found: Field | undefined;
  for (const field of fieldsOf(bytes)) {
    if (field.type === LENGTH_DELIMITED && numbers.includes(field.number)) found = field;
  }
  return found;
}

/**
 * The message that holds just `field` of `bytes`, under another number (below 16: tags of one byte). Where the field
 * is all there is, which is always so between us, its tag is changed in place and nothing is copied.
 */
export function renumber(bytes: Buffer, field: Field, number: number): Buffer {
  const tag = (number << 3) | LENGTH_DELIMITED;
  if (field.start === 0 && field.end === bytes.length && field.number < 16) {
    bytes[0] = tag;
    return bytes;
  }
  const lengthBytes = bytes.subarray(field.number < 16 ? field.start + 1 : field.start + 2, field.end);
  return Buffer.concat([Buffer.of(tag), lengthBytes]);
}
