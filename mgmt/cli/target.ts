/** Whom a command talks to: an appliance's agent (--on), a data plane's socket (--socket), or the controller. */
import * as grpc from '@grpc/grpc-js';
import { Appliance, type ApplianceMethods } from '../../proto/appliance.ts';
import { Config, type ConfigMethods } from '../../proto/config.ts';
import { ForwardingCore, type ForwardingCoreMethods } from '../../proto/core.ts';
import { Dataplane, type DataplaneMethods, type TableReply, type TableRequest } from '../../proto/dataplane.ts';
import { createClient, unixAddress, type Client, type Draft, type Service } from '../../proto/load.ts';
import { Routing, type RoutingMethods } from '../../proto/routing.ts';
import { clientCredentials, tokenCredentials } from '../pki/credentials.ts';
import { readContext, type Context } from './context.ts';
import { UsageError, type OutputOptions, type Row } from './output.ts';

/** Options that every command takes. */
export interface GlobalOptions extends OutputOptions { on?: string; socket?: string; context?: string; pki?: string; as?: string; controller?: string }

/** The views that an agent and a data plane have in common. */
export type Views = Pick<Client<DataplaneMethods>, 'ports' | 'lcores' | 'counters' | 'dropLog' | 'table' | 'trace'>;

const withOverrides = (options: GlobalOptions): Context => {
  const context = readContext(options.context);
  return { ...context, ...(options.pki ? { pki: options.pki } : {}), ...(options.as ? { as: options.as } : {}), ...(options.controller ? { controller: options.controller } : {}) };
};

const ADDRESS = /^(\[[^\]]+\]|[^:]+):\d+$/;

/** Address and certificate name of the appliance that `--on` means; the only one of the context when it is left out. */
export function applianceOf(on: string | undefined, context: Context): { address: string; name?: string } {
  const names = Object.keys(context.appliances);
  const known = names.length ? `known are ${names.join(', ')}` : 'the context file has none';
  const name = on ?? (names.length === 1 ? names[0] : undefined);
  if (name === undefined) throw new UsageError(`which appliance? --on NODE (${known}), --on HOST:PORT, or --socket PATH`);
  const address = context.appliances[name];
  if (address !== undefined) return { address, name };
  if (ADDRESS.test(name)) return { address: name };
  throw new UsageError(`no appliance "${name}": ${known}, or give HOST:PORT`);
}

function credentialsFor(context: Context, role: 'appliance' | 'controller', name?: string): grpc.ChannelCredentials {
  if (context.pki === '') throw new UsageError('which certificates? --pki DIR, or a context file with "pki"');
  const token = process.env['WROUTER_TOKEN'];
  try {
    return token && role === 'controller' ? tokenCredentials(context.pki, token, role) : clientCredentials(context.pki, context.as, role, name);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

export const openAppliance = (options: GlobalOptions): Client<ApplianceMethods> => applianceClient(options, Appliance);

/** The forwarding core of an appliance, or of a data plane directly. */
export function openCore(options: GlobalOptions): Client<ForwardingCoreMethods> {
  return options.socket === undefined ? applianceClient(options, ForwardingCore) : createClient(ForwardingCore, unixAddress(options.socket), grpc.credentials.createInsecure());
}

function applianceClient<M>(options: GlobalOptions, service: Service<M>): Client<M> {
  const context = withOverrides(options);
  const { address, name } = applianceOf(options.on, context);
  return createClient(service, address, credentialsFor(context, 'appliance', name));
}

export function openDataplane(socket: string): Client<DataplaneMethods> {
  return createClient(Dataplane, unixAddress(socket), grpc.credentials.createInsecure());
}

export function openViews(options: GlobalOptions): Views & { close(): void } {
  return options.socket === undefined ? openAppliance(options) : openDataplane(options.socket);
}

export const openController = (options: GlobalOptions): Client<ConfigMethods> => controllerClient(options, Config);

/** What the controller knows by BGP. */
export const openRouting = (options: GlobalOptions): Client<RoutingMethods> => controllerClient(options, Routing);

function controllerClient<M>(options: GlobalOptions, service: Service<M>): Client<M> {
  const context = withOverrides(options);
  if (context.controller === undefined) throw new UsageError('which controller? --controller HOST:PORT, or a context file with "controller"');
  return createClient(service, context.controller, credentialsFor(context, 'controller'));
}

/** All rows of a table. */
export async function rowsOf(views: Views, request: Draft<TableRequest>): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const reply of views.table(request) as AsyncIterable<TableReply>) rows.push(...reply.rows.map(({ fields }) => fields));
  return rows;
}
