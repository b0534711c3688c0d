#!/usr/bin/env node
/**
 * kube-manager: watches a Kubernetes cluster and keeps the controller's objects as the cluster says (docs/kubernetes.md).
 *
 *   node mgmt/kube-manager/kube-manager.ts [--config FILE] [--kubeconfig FILE] --vnc-endpoint-ip HOST[:PORT],… --pki DIR [--OPTION VALUE …]
 *
 * Options are Contrail's, in its file, its environment or as flags (config/options.ts). Ends cleanly on SIGTERM or SIGINT.
 */
import type { AddressInfo } from 'node:net';
import v8 from 'node:v8';
import pino from 'pino';
import { Config } from '../../proto/config.ts';
import { createClient } from '../../proto/load.ts';
import { clientCredentials } from '../pki/credentials.ts';
import { OPTIONS } from './config/options.ts';
import { readSettings, SettingsError } from './config/settings.ts';
import { serveHttp } from './http.ts';
import { KubeClient } from './kubernetes/client.ts';
import { Lease } from './lease.ts';
import { FatalError, Manager } from './manager.ts';
import { exposition } from './status/metrics.ts';

// The space for young objects stays small: many collections of a millisecond instead of few that stop everything for twenty.
v8.setFlagsFromString('--semi-space-growth-factor=1');

const LEASE = 'wrouter-kube-manager';
/** Longer than the first attempt at the Lease takes. */
const STANDBY_MS = 3_000;

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    console.log(`usage: node mgmt/kube-manager/kube-manager.ts [--config FILE] [--OPTION VALUE …]\n\n${OPTIONS.map(({ name, variable, standard, help }) => `  --${name.replaceAll('_', '-').padEnd(28)} ${help}${standard && ` (${standard})`} [${variable}]`).join('\n')}`);
    return;
  }
  const settings = readSettings(process.argv.slice(2), process.env);
  const log = pino({ level: settings.logLevel, name: 'kube-manager' }, pino.destination({ fd: 2, sync: true }));
  const kubernetes = new KubeClient(settings.kubernetes);
  const config = createClient(Config, settings.controllers[0]!, clientCredentials(settings.pki, settings.identity, 'controller'));
  const lease = new Lease(kubernetes, { namespace: settings.leaseNamespace, name: LEASE, holder: settings.replica, log });
  const manager = new Manager({ settings, kubernetes, config, log, mayWrite: () => lease.held });
  // A replica that waits for its turn is ready when it has read everything; whoever starts alone has the Lease by then.
  let readSince = Infinity;
  const ready = (): boolean => (lease.held ? manager.inSync : performance.now() - readSince > STANDBY_MS);
  const http = await serveHttp(settings.http.host, settings.http.port, { ready, metrics: () => exposition(manager.metrics) });
  log.info({ address: `${settings.http.host}:${(http.address() as AddressInfo).port}`, apiServer: kubernetes.server }, 'listening');

  let ending = false;
  const end = (signal: string): void => {
    if (ending) return;
    ending = true;
    log.info({ signal }, 'ending');
    http.close();
    // First what is under way ends, then another replica may begin.
    manager.close().then(() => lease.release()).finally(() => {
      config.close();
      kubernetes.close();
      process.exit(0);
    });
  };
  process.on('SIGTERM', end).on('SIGINT', end);
  lease.onChange = (held) => {
    if (held) orFail(() => manager.mayWriteNow());
  };
  void lease.run();
  await manager.start();
  readSince = performance.now();
}

const fail = (error: unknown): never => {
  const known = error instanceof SettingsError || error instanceof FatalError;
  console.error(`kube-manager: ${known ? error.message : error instanceof Error ? error.stack : String(error)}`);
  process.exit(2);
};
function orFail(work: () => void): void {
  try {
    work();
  } catch (error) {
    fail(error);
  }
}
main().catch(fail);
