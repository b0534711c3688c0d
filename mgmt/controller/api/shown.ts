/** An object as a client may see it: the one way out of the controller. */
import type * as wire from '../../../proto/config.ts';
import { toWire, type Stored } from '../model/kinds.ts';
import { withoutSecrets } from '../model/secrets.ts';

export const shown = (object: Stored): wire.Object => toWire(withoutSecrets(object));
