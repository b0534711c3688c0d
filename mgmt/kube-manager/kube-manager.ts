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
import { FatalError, Manager } from './manager.ts';

// The space for young objects stays small: many collections of a millisecond instead of few that stop everything for twenty.
v8.setFlagsFromString('--semi-space-growth-factor=1');

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    console.log(`usage: node mgmt/kube-manager/kube-manager.ts [--config FILE] [--OPTION VALUE …]\n\n${OPTIONS.map(({ name, variable, standard, help }) => `  --${name.replaceAll('_', '-').padEnd(28)} ${help}${standard && ` (${standard})`} [${variable}]`).join('\n')}`);
    return;
  }
  const settings = readSettings(process.argv.slice(2), process.env);
  const log = pino({ level: settings.logLevel, name: 'kube-manager' }, pino.destination({ fd: 2, sync: true }));
  const kubernetes = new KubeClient(settings.kubernetes);
  const config = createClient(Config, settings.controllers[0]!, clientCredentials(settings.pki, settings.identity, 'controller'));
  const manager = new Manager({ settings, kubernetes, config, log, mayWrite: () => true });
  const http = await serveHttp(settings.http.host, settings.http.port, { ready: () => manager.inSync, metrics: () => '' });
  log.info({ address: `${settings.http.host}:${(http.address() as AddressInfo).port}`, apiServer: kubernetes.server }, 'listening');

  let ending = false;
  const end = (signal: string): void => {
    if (ending) return;
    ending = true;
    log.info({ signal }, 'ending');
    http.close();
    manager.close().finally(() => {
      config.close();
      kubernetes.close();
      process.exit(0);
    });
  };
  process.on('SIGTERM', end).on('SIGINT', end);
  await manager.start();
}

main().catch((error: unknown) => {
  const known = error instanceof SettingsError || error instanceof FatalError;
  console.error(`kube-manager: ${known || !(error instanceof Error) ? String((error as Error).message ?? error) : error.message}`);
  process.exit(2);
});
