/**
 * The dataplane process of an appliance:
 *
 *   node firmware/host/dataplane.ts --profile FILE --state DIR --socket PATH [--name N] [--allow-faults]
 *
 * It owns memory, ports and lcores, forwards by the last good state in DIR, and takes changes from the agent on PATH. Logs are
 * JSON lines on stderr. SIGTERM and SIGINT end it cleanly; exit code 1 says on stderr why it could not start.
 */
import { parseArgs } from 'node:util';
import v8 from 'node:v8';
import { Appliance } from './appliance.ts';
import { createLog } from './log.ts';
import { loadProfile, ProfileError } from './profile.ts';
import { serve } from './server.ts';

// The space for young objects stays small: many collections of a millisecond instead of few that stop everything for twenty.
v8.setFlagsFromString('--semi-space-growth-factor=1');

const USAGE = 'usage: node firmware/host/dataplane.ts --profile FILE --state DIR --socket PATH [--name NAME] [--allow-faults]';

function options(): { profile: string; state: string; socket: string; name: string; allowFaults: boolean } {
  try {
    const { values } = parseArgs({
      options: {
        profile: { type: 'string' }, state: { type: 'string' }, socket: { type: 'string' }, name: { type: 'string' }, 'allow-faults': { type: 'boolean', default: false },
      },
    });
    const { profile, state, socket, name } = values;
    if (profile === undefined || state === undefined || socket === undefined) throw new Error('--profile, --state and --socket are required');
    return { profile, state, socket, name: name ?? '', allowFaults: values['allow-faults'] };
  } catch (error) {
    fail(`${(error as Error).message}\n${USAGE}`);
  }
}

function fail(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

const { profile: profileFile, state, socket, name, allowFaults } = options();
try {
  const profile = loadProfile(profileFile);
  const log = createLog(name === '' ? profile.name : name);
  const appliance = new Appliance({ profile, stateDirectory: state, allowFaults, log });
  await appliance.start();
  const close = await serve(appliance, socket);
  log.info({ socket, profile: profile.name, lcores: profile.lcores }, 'dataplane is up');

  let ending = false;
  const end = (signal: string): void => {
    if (ending) return;
    ending = true;
    log.info({ signal }, 'dataplane ends');
    close();
    void appliance.stop().then(() => process.exit(0), (error: unknown) => fail(String(error)));
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
} catch (error) {
  fail(error instanceof ProfileError ? error.message : error instanceof Error ? `the dataplane cannot start: ${error.message}` : String(error));
}
