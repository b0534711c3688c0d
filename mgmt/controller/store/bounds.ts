/** How far back a store tells: beyond it watchers list anew, and appliances are resynced. The newest step stays, however large. */

/** Steps of history that are kept: versions over all objects, and what their objects take together. */
export const HISTORY_VERSIONS = 10_000;
export const HISTORY_BYTES = 64 * 1024 * 1024;
/**
 * Changes that are kept of each appliance, and what their keys take. A delta has at most 65,536 keys, about as much; more would only
 * be read to find that out.
 */
export const APPLIANCE_CHANGES = 1_000;
export const APPLIANCE_BYTES = 1024 * 1024;
