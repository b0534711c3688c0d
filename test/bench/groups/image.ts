/** The appliance as a thing that is replaced piece by piece under traffic. */
import { coreUpgradeRows } from '../image/core-upgrade.ts';
import type { Group } from '../rows.ts';

export const image: Group = { 'core-upgrade': coreUpgradeRows };
