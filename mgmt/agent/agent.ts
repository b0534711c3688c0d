#!/usr/bin/env node
/**
 * The agent process: options in, an ApplianceAgent and its operations server out. Ends within five seconds of SIGTERM or SIGINT.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import v8 from 'node:v8';
import { credentials } from '@grpc/grpc-js';
import { Command, InvalidArgumentError } from 'commander';
import pino from 'pino';
import { ForwardingCore } from '../../proto/core.ts';
import { createClient, listen, unixAddress } from '../../proto/load.ts';
import { clientCredentials, requireRole, serverCredentials } from '../pki/credentials.ts';
import { ApplianceAgent } from './appliance.ts';
import { Attachments } from './cni/attachments.ts';
import { Plugin } from './cni/plugin.ts';
import { serveCni } from './cni/server.ts';
import { KernelWiring } from './cni/wiring.ts';
import { HEALTH, operations } from './operations.ts';
import { Refusals } from './refusals.ts';
import { grpcTransport } from './transport.ts';

// The space for young objects stays small: many collections of a millisecond instead of few that stop everything for twenty.
v8.setFlagsFromString('--semi-space-growth-factor=1');

interface Options { name: string; controller: string[]; pki: string; dataplane: string; state: string; listen: string; cni?: string }

const END_MS = 5000;
const HEALTH_MS = 1000;

/** "host:port" or "[v6]:port", several by commas. */
function addresses(text: string): string[] {
  return text.split(',').map((address) => {
    const port = Number(/^(?:\[[^\]]+\]|[^:]+):(\d+)$/.exec(address)?.[1] ?? NaN);
    if (!(port >= 0 && port <= 65535)) throw new InvalidArgumentError(`"${address}" is not HOST:PORT (an IPv6 host in brackets)`);
    return address;
  });
}

const command = new Command('agent')
  .description('Passes what a controller says on to the data plane of this appliance, and shows the appliance to its operators.')
  .requiredOption('--name <name>', "the appliance's name, and that of its certificate")
  .requiredOption('--controller <host:port,...>', 'controllers; the agent is in session with one of them', addresses)
  .requiredOption('--pki <dir>', 'folder with ca.crt, NAME.crt and NAME.key')
  .requiredOption('--dataplane <socket>', 'unix socket of the data plane')
  .requiredOption('--state <dir>', 'folder for what is worth keeping: the refused records, the attachments of pods')
  .requiredOption('--listen <host:port>', 'where operators reach it', (text) => addresses(text)[0]!)
  .option('--cni <socket>', 'serve pods: unix socket that the CNI plugin calls (needs CAP_NET_ADMIN and CAP_SYS_ADMIN)')
  .addHelpText('after', `
Example:
  node mgmt/agent/agent.ts --name compute --controller 192.0.2.10:9400 --pki /etc/wrouter/pki \\
    --dataplane /run/wrouter/dataplane.sock --state /var/lib/wrouter/agent --listen 127.0.0.1:9411

It holds no truth of its own and may be stopped at any time: forwarding goes on, and it resumes where the data plane is.`);

const options = command.parse().opts<Options>();
const log = pino({ name: 'agent', base: { appliance: options.name } }, pino.destination(2));

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string };
mkdirSync(options.state, { recursive: true });

const agent = new ApplianceAgent({
  name: options.name,
  software: version,
  controllers: options.controller,
  transport: grpcTransport({ credentials: () => clientCredentials(options.pki, options.name, 'controller'), dataplane: options.dataplane }),
  refusals: new Refusals(join(options.state, 'refusals.json'), (text) => log.warn(text)),
  log: { info: (text) => log.info(text), warn: (text) => log.warn(text) },
  servesPods: options.cni !== undefined,
});
const core = createClient(ForwardingCore, unixAddress(options.dataplane), credentials.createInsecure());
const { server, health } = operations(agent, core, { see: (call) => requireRole(call, 'operator', 'controller'), change: (call) => requireRole(call, 'operator') });

const port = await listen(server, options.listen, serverCredentials(options.pki, options.name));
const plugin = options.cni === undefined ? undefined : new Plugin({
  pods: agent.pods, ports: agent.ports, wiring: new KernelWiring(() => agent.ports.pid),
  attachments: new Attachments(join(options.state, 'attachments'), (text) => log.warn(text)), problem: () => agent.problem, log: (text) => log.info(text),
});
const closeCni = plugin && await serveCni(plugin, options.cni!, (text) => log.warn(text));
log.info(`operators are served at ${options.listen.replace(/:\d+$/, `:${port}`)}`);

/** Told only when it changes: every telling goes to all who watch. */
const told = { [HEALTH.dataplane]: false, [HEALTH.session]: false };
const pulse = setInterval(() => {
  const { dataplane, controller } = agent.health();
  for (const [service, healthy] of [[HEALTH.dataplane, dataplane], [HEALTH.session, controller]] as const) {
    if (told[service] === healthy) continue;
    told[service] = healthy;
    health.setStatus(service, healthy ? 'SERVING' : 'NOT_SERVING');
  }
}, HEALTH_MS);

function end(): void {
  clearInterval(pulse);
  setTimeout(() => process.exit(1), END_MS - 500).unref();
  closeCni?.();
  server.forceShutdown();
  agent.stop();
}
process.once('SIGTERM', end).once('SIGINT', end);

await agent.run();
log.info('stopped');
