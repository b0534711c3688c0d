#!/usr/bin/env node
/**
 * The controller:
 *
 *   node mgmt/controller/controller.ts --store FILE --listen HOST:PORT --pki DIR [--name NAME] [--log-level LEVEL]
 *   node mgmt/controller/controller.ts --store etcd://HOST:PORT[,HOST:PORT…] --store-pki DIR …
 *
 * Keeps its objects in FILE, or in the etcd that it shares with other controllers (docs/store.md); serves the config API and the sync stream, ends cleanly on SIGTERM or SIGINT. Port 0 takes any; the
 * line "listening" in the log says which.
 *
 * `--token-listen HOST:PORT` serves callers with tokens instead of certificates there (docs/security.md).
 *
 * Speaks BGP where it has peers (docs/bgp.md): `--bgp-dir DIR` is for the speaker's socket and the routes that came in, FILE.bgp where it
 * is not given; `--bgp-launcher COMMAND` is put before the speaker's command, e.g. "ip vrf exec management".
 */
import { parseArgs } from 'node:util';
import v8 from 'node:v8';
import pino from 'pino';
import { BgpService } from './bgp/service.ts';
import { LastRun } from './bgp/last-run.ts';
import { Engine } from './engine.ts';
import { serve } from './server.ts';
import { isFile, openStore } from './store/open.ts';
import { isShared } from './store/store.ts';

// The space for young objects stays small: many collections of a millisecond instead of few that stop everything for twenty.
v8.setFlagsFromString('--semi-space-growth-factor=1');

const USAGE = 'usage: node mgmt/controller/controller.ts --store FILE|etcd://HOST:PORT[,…] --listen HOST:PORT --pki DIR [--token-listen HOST:PORT] [--store-pki DIR] [--bgp-dir DIR] [--bgp-launcher COMMAND] [--name NAME] [--log-level LEVEL]';

interface Options {
  readonly store: string;
  readonly listen: string;
  readonly tokens: string | undefined;
  readonly pki: string;
  readonly storePki: string | undefined;
  /** Undefined: no BGP. */
  readonly bgpDirectory: string | undefined;
  readonly bgpLauncher: readonly string[];
  readonly name: string;
  readonly level: string;
}

function options(): Options {
  const { values } = parseArgs({
    options: {
      'store': { type: 'string' }, 'listen': { type: 'string', default: '127.0.0.1:8082' }, 'token-listen': { type: 'string' }, 'pki': { type: 'string' }, 'store-pki': { type: 'string' },
      'bgp-dir': { type: 'string' }, 'bgp-launcher': { type: 'string', default: '' }, 'name': { type: 'string', default: 'controller' }, 'log-level': { type: 'string', default: 'info' },
    },
  });
  if (!values.store) throw new Error('--store FILE is missing: where the objects are kept');
  if (!values.pki) throw new Error(`--pki DIR is missing: the folder with ca.crt, ${values.name}.crt and ${values.name}.key`);
  if (!Object.hasOwn(pino.levels.values, values['log-level']) && values['log-level'] !== 'silent') {
    throw new Error(`--log-level ${values['log-level']}: one of ${Object.keys(pino.levels.values).join(', ')}, silent`);
  }
  return {
    store: values.store, listen: values.listen, tokens: values['token-listen'], pki: values.pki, storePki: values['store-pki'], name: values.name, level: values['log-level'],
    bgpDirectory: values['bgp-dir'] ?? (isFile(values.store) ? `${values.store}.bgp` : undefined),
    bgpLauncher: values['bgp-launcher'].split(' ').filter((word) => word !== ''),
  };
}

async function main(): Promise<void> {
  const { store: where, listen, tokens, pki, storePki, bgpDirectory, bgpLauncher, name, level } = options();
  const log = pino({ level, name: 'controller' }, pino.destination({ fd: 2, sync: true }));
  const store = await openStore(where, storePki, name);
  if (isShared(store)) {
    store.on('lost', (error) => {
      // Appliances go on with what they have, and to another controller; whoever supervises this one starts it again.
      log.fatal({ error: error.message }, 'cannot follow the store');
      process.exit(1);
    });
  }
  const lastRun = bgpDirectory === undefined ? undefined : new LastRun(bgpDirectory, store.stateId, name);
  const engine = await Engine.open(store, lastRun ? { told: (objects) => lastRun.told(objects) } : {});
  const bgp = bgpDirectory === undefined || !lastRun ? undefined : await BgpService.open({ engine, lastRun, name, directory: bgpDirectory, launcher: bgpLauncher, log: log.child({ part: 'bgp' }) });
  const listening = await serve(engine, listen, pki, name, log, bgp, tokens);
  log.info({ address: `${listen.slice(0, listen.lastIndexOf(':'))}:${listening.port}`, version: engine.version, stateId: store.stateId, appliances: engine.compiler.appliances.size }, 'listening');

  let ending = false;
  const end = (signal: string): void => {
    if (ending) return;
    ending = true;
    log.info({ signal }, 'ending');
    listening.close().then(() => bgp?.close()).then(() => {
      store.close();
      process.exit(0);
    }, (error: unknown) => {
      log.error({ err: error }, 'did not end cleanly');
      process.exit(1);
    });
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
}

main().catch((error: unknown) => {
  console.error(`controller: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exit(2);
});
