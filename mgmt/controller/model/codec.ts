/** Objects as bytes: wrouter.config.v1.Object, as on the wire so in the store. */
import { Config, type Object as ConfigObject } from '../../../proto/config.ts';
import { definitionOf } from '../../../proto/load.ts';
import { fromWire, toWire, type Stored } from './kinds.ts';
import { shareNames } from './references.ts';

const { responseSerialize, responseDeserialize } = definitionOf(Config)['get']!;

export const encodeObject = (object: Stored): Buffer => responseSerialize(toWire(object));

/** @throws when the bytes are no object: the store is damaged, or of a later program. */
export function decodeObject(bytes: Uint8Array): Stored {
  const object = fromWire(responseDeserialize(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) as ConfigObject);
  if (!object) throw new Error('an object in the store is of no kind that this program knows: use the program that wrote it');
  return object;
}

/** Many objects, as a store has them. A name is one string, however many refer to it: half the memory, and found faster. */
export function* decodeObjects(rows: Iterable<{ readonly bytes: Uint8Array }>): Generator<Stored> {
  const names = new Map<string, string>();
  const share = (name: string): string => {
    const known = names.get(name);
    if (known === undefined) names.set(name, name);
    return known ?? name;
  };
  for (const { bytes } of rows) {
    const object = decodeObject(bytes);
    shareNames(object, share);
    yield object;
  }
}
