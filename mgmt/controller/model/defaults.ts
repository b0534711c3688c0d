/** What an object of the whole system says while nobody has put it. */
import { DEFAULT_ASN } from '../routing/route-target.ts';
import { SYSTEM } from './kinds.ts';
import type { ObjectView } from './objects.ts';

/** The AS of controllers and of automatic route targets. */
export const asnOf = (view: ObjectView): number => view.get('global-system-config', SYSTEM)?.spec.autonomousSystem || DEFAULT_ASN;
