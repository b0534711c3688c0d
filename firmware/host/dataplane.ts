/**
 * The dataplane process of an appliance:
 *
 *   node firmware/host/dataplane.ts --profile FILE --state DIR --socket PATH [--name N] [--core FILE] [--core-keys DIR] [--allow-faults]
 *
 * With --core-keys it runs no core that none of the keys in DIR signed, and takes others that one of them did while it forwards. It owns memory, ports and lcores, forwards by the last good state in DIR, and takes changes from the agent on PATH. Logs are
 * JSON lines on stderr. SIGTERM and SIGINT end it cleanly; exit code 1 says on stderr why it could not start.
 */
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import v8 from 'node:v8';
import { Appliance } from './appliance.ts';
import { installedCore } from './core-build.ts';
import { trustedKeys } from './core-signature.ts';
import { CORE_FILE } from './core.ts';
import { createLog } from './log.ts';
import { loadProfile, ProfileError } from './profile.ts';
import { serve } from './server.ts';

// The space for young objects stays small: many collections of a millisecond instead of few that stop everything for twenty.
v8.setFlagsFromString('--semi-space-growth-factor=1');

const USAGE = 'usage: node firmware/host/dataplane.ts --profile FILE --state DIR --socket PATH [--name NAME] [--core FILE] [--core-keys DIR] [--allow-faults]';

interface Options {
  readonly profile: string;
  readonly state: string;
  readonly socket: string;
  readonly name: string;
  readonly core: URL;
  readonly coreKeys: string | undefined;
  readonly allowFaults: boolean;
}

function options(): Options {
  try {
    const { values } = parseArgs({
      options: {
        profile: { type: 'string' }, state: { type: 'string' }, socket: { type: 'string' }, name: { type: 'string' }, core: { type: 'string' }, 'core-keys': { type: 'string' },
        'allow-faults': { type: 'boolean', default: false },
      },
    });
    const { profile, state, socket, name, core } = values;
    if (profile === undefined || state === undefined || socket === undefined) throw new Error('--profile, --state and --socket are required');
    return {
      profile, state, socket, name: name ?? '', core: core === undefined ? CORE_FILE : pathToFileURL(core), coreKeys: values['core-keys'], allowFaults: values['allow-faults'],
    };
  } catch (error) {
    fail(`${(error as Error).message}\n${USAGE}`);
  }
}

function fail(text: string): never {
  process.stderr.write(`${text}\n`);
  process.exit(1);
}

const { profile: profileFile, state, socket, name, core, coreKeys, allowFaults } = options();
try {
  const profile = loadProfile(profileFile);
  const log = createLog(name === '' ? profile.name : name);
  const keys = coreKeys === undefined ? undefined : trustedKeys(coreKeys);
  const installed = await installedCore(core, state, keys, log);
  const appliance = new Appliance({ profile, stateDirectory: state, installed, keys, allowFaults, log });
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
