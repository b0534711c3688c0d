/** A dataplane process like firmware/host/dataplane.ts, with its arguments, whose lcores run the C twin. Only the bench starts it. */
import { parseArgs } from 'node:util';
import { Appliance } from '../../../firmware/host/appliance.ts';
import { installedCore } from '../../../firmware/host/core-build.ts';
import { CORE_FILE } from '../../../firmware/host/core.ts';
import { createLog } from '../../../firmware/host/log.ts';
import { loadProfile } from '../../../firmware/host/profile.ts';
import { serve } from '../../../firmware/host/server.ts';

const { values } = parseArgs({
  options: { profile: { type: 'string', default: '' }, state: { type: 'string', default: '' }, socket: { type: 'string', default: '' }, 'allow-faults': { type: 'boolean' } },
});
const profile = loadProfile(values.profile);
const log = createLog(profile.name);
const installed = await installedCore(CORE_FILE, values.state, undefined, log);
const appliance = new Appliance({
  profile, stateDirectory: values.state, installed, keys: undefined, allowFaults: false, lcoreProgram: new URL('./twin-lcore.ts', import.meta.url), log,
});
await appliance.start();
const close = await serve(appliance, values.socket);
log.info({ profile: profile.name }, 'dataplane is up');
process.once('SIGTERM', () => {
  close();
  void appliance.stop().then(() => process.exit(0));
});
