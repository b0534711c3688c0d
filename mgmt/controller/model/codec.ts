/** Objects as bytes: wrouter.config.v1.Object, as on the wire so in the store. */
import { Config, type Object as ConfigObject } from '../../../proto/config.ts';
import { definitionOf } from '../../../proto/load.ts';
import { fromWire, toWire, type Stored } from './kinds.ts';

const { responseSerialize, responseDeserialize } = definitionOf(Config)['get']!;

export const encodeObject = (object: Stored): Buffer => responseSerialize(toWire(object));

/** @throws when the bytes are no object: the store is damaged, or of a later program. */
export function decodeObject(bytes: Uint8Array): Stored {
  const object = fromWire(responseDeserialize(Buffer.from(bytes)) as ConfigObject);
  if (!object) throw new Error('an object in the store is of no kind that this program knows: use the program that wrote it');
  return object;
}
