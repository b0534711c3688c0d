/** The controller's commands: objects in and out, and what it made of them for an appliance. */
import { readFileSync } from 'node:fs';
import { status } from '@grpc/grpc-js';
import type { Command } from 'commander';
import type { Appliance, ConfigMethods, Event, Object as ConfigObject, Route, RoutesReply } from '../../../proto/config.ts';
import type { Client } from '../../../proto/load.ts';
import { parseObjects, toDocument, toYaml, kindOf } from '../objects.ts';
import { count, list, show, table, UsageError } from '../output.ts';
import { openController, type GlobalOptions } from '../target.ts';

/** Every object of a kind (all kinds: ""), page by page. */
async function listAll(controller: Client<ConfigMethods>, kind: string, prefix: string): Promise<ConfigObject[]> {
  const objects: ConfigObject[] = [];
  for (let pageToken = ''; ;) {
    const page = await controller.list({ kind, prefix, pageToken });
    objects.push(...page.objects);
    pageToken = page.nextPageToken;
    if (pageToken === '') return objects;
  }
}

/** An object by its full name, or by the end of it when only one ends so. */
async function find(controller: Client<ConfigMethods>, kind: string, name: string): Promise<ConfigObject> {
  const whole = await controller.get({ kind, name }).catch((error: { code?: unknown }) => {
    if (error.code !== status.NOT_FOUND) throw error;
    return undefined;
  });
  if (whole) return whole;
  const ending = (await listAll(controller, kind, '')).filter((object) => object.name.endsWith(`:${name}`));
  if (ending.length === 1) return ending[0]!;
  throw new UsageError(ending.length ? `"${name}" is the end of several names: ${ending.map((object) => object.name).join(', ')}` : `no ${kind} "${name}"`);
}

function routeRows(routes: readonly Route[]): Record<string, string | number>[] {
  return routes.flatMap(({ vrf, prefix, nexthop, paths }) => paths.map((path, at) => ({
    vrf: at ? '' : vrf, prefix: at ? '' : prefix, id: at ? '' : nexthop, hop: path.nextHop, protocol: path.protocolNextHop, label: path.label || '', tunnel: path.tunnel,
    origin: path.origin, source: path.source, targets: path.routeTargets.join(' '),
  })));
}

function applianceBlock(appliance: Appliance): string {
  return list([
    ['appliance', appliance.name], ['kind', appliance.kind], ['state', appliance.since ? `${appliance.state} since ${appliance.since}` : appliance.state], ['session', appliance.inSession ? `from ${appliance.peer}` : 'none'],
    ['version', `${count(appliance.liveVersion)} live of ${count(appliance.version)}`], ['unacknowledged', appliance.unacknowledged],
    ['sent', `${count(appliance.updates)} updates, ${count(appliance.records)} records`], ['software', appliance.software], ['profile', appliance.profile],
    ['tables', Object.entries(appliance.totals).map(([name, total]) => `${count(total)} ${name}`).join(', ')],
    ['ports', appliance.ports.join('; ')], ['problem', appliance.problem],
    ...appliance.refused.map(({ record, reason }) => ['refused', `${record}: ${reason}`] as const),
  ]);
}

export function configCommands(program: Command, global: () => GlobalOptions): void {
  /** Runs with a client of the controller, and closes it. */
  const using = async (work: (controller: Client<ConfigMethods>, options: GlobalOptions) => Promise<void>): Promise<void> => {
    const options = global();
    const controller = openController(options);
    try {
      await work(controller, options);
    } finally {
      controller.close();
    }
  };

  program.command('get <kind> <name>').description('one object, as YAML or JSON that `apply` takes')
    .addHelpText('after', '\nExample:\n  wrouter get virtual-network k8s-default-pod-network    the full name, or the end of it')
    .action((kind: string, name: string) => using((controller, options) => show<ConfigObject>({
      read: () => find(controller, kind, name), json: toDocument, text: (object) => toYaml([object]),
    }, options)));

  program.command('list [kind]').description('objects, of one kind or of all')
    .option('--prefix <name>', 'only names that begin so: default-domain:k8s-ns-user-1:', '')
    .action((kind: string | undefined, { prefix }: { prefix: string }) => using((controller, options) => show<ConfigObject[]>({
      read: () => listAll(controller, kind ?? '', prefix),
      json: (objects) => objects.map(toDocument),
      text: (objects) => table([{ key: 'kind' }, { key: 'name' }, { key: 'version', number: true }, { key: 'uuid' }],
        objects.map((object) => ({ kind: kindOf(object.spec ?? 'unknown'), name: object.name, version: object.version, uuid: object.uuid })), `no objects${kind ? ` of kind ${kind}` : ''}`),
    }, options)));

  program.command('apply').description('creates or replaces the objects of files, all or none')
    .requiredOption('-f, --file <file...>', 'YAML or JSON; - is stdin')
    .option('--dry-run', 'checks everything, changes nothing')
    .addHelpText('after', `
Example:
  wrouter apply -f network.yaml        with, for instance:

    kind: virtual-network
    name: default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network
    spec:
      subnets: [{prefix: 101.101.101.0/24}]
      route_targets: [target:64512:101]

A document with "version" is applied only if the object is still at that version.`)
    .action(({ file: files, dryRun = false }: { file: string[]; dryRun?: boolean }) => using(async (controller, options) => {
      const objects = files.flatMap((file) => parseObjects(readFileSync(file === '-' ? 0 : file, 'utf8'), file));
      const reply = await controller.commit({ operations: objects.map((put) => ({ put })), dryRun });
      if (options.output === 'json') console.log(JSON.stringify({ version: reply.version, objects: reply.objects.map(toDocument) }, null, 2));
      else console.log(`${reply.objects.map((object) => `${kindOf(object.spec ?? 'unknown')} ${object.name}`).join('\n')}\n${dryRun ? 'would be accepted' : `version ${reply.version}`}`);
    }));

  program.command('delete <kind> <name>').description('deletes an object that nothing uses')
    .action((kind: string, name: string) => using(async (controller, options) => {
      const reply = await controller.delete({ kind, name });
      console.log(options.output === 'json' ? JSON.stringify({ version: reply.version }) : `version ${reply.version}`);
    }));

  program.command('events [kind]').description('changes as they happen, one a line')
    .option('--since <version>', 'from this version on', Number)
    .action((kind: string | undefined, { since }: { since?: number }) => using(async (controller, options) => {
      const version = since ?? (await controller.list({ kind: kind ?? '', pageSize: 1 })).version;
      for await (const event of controller.watch({ version, kind: kind ?? '' }) as AsyncIterable<Event>) {
        const { object } = event;
        if (!object) continue;
        if (options.output === 'json') console.log(JSON.stringify({ version: event.version, deleted: event.deleted, object: toDocument(object) }));
        else console.log(`${event.version}  ${event.deleted ? 'deleted' : 'written'}  ${kindOf(object.spec ?? 'unknown')} ${object.name}`);
      }
    }));

  program.command('appliances [name]').description('appliances: in session, version live, refusals, problems')
    .action((name: string | undefined) => using((controller, options) => show<Appliance[]>({
      read: async () => (await controller.appliances({ appliance: name ?? '' })).appliances,
      json: (appliances) => appliances,
      text: (appliances) => (name !== undefined ? appliances.map(applianceBlock).join('\n\n') || `no appliance "${name}"` : table(
        [{ key: 'name' }, { key: 'kind' }, { key: 'state' }, { key: 'since' }, { key: 'version', number: true }, { key: 'live', number: true }, { key: 'refused', number: true }, { key: 'peer' }, { key: 'problem' }],
        appliances.map(({ name: each, kind, state, since, version, liveVersion, refused, peer, problem }) => ({ name: each, kind, state, since, version, live: liveVersion, refused: refused.length || undefined, peer, problem })), 'no appliances')),
    }, options)));

  program.command('routes <appliance> [vrf] [prefix]').description('routes of an appliance as the controller made them: next hop, label, tunnel, where they come from')
    .addHelpText('after', `
Examples:
  wrouter routes gateway                             every VRF
  wrouter routes gateway internet 101.101.101.3      the floating IP's route: its protocol next hop is the compute appliance`)
    .action((appliance: string, vrf: string | undefined, prefix: string | undefined) => using((controller, options) => show<Route[]>({
      read: async () => {
        const routes: Route[] = [];
        // The controller knows VRFs by their whole names; the end of one is looked for in all of them.
        const whole = vrf?.includes(':') ? vrf : '';
        const called = (name: string): boolean => vrf === undefined || name === vrf || name.endsWith(`:${vrf}`);
        for await (const reply of controller.routes({ appliance, vrf: whole, prefix: prefix ?? '' }) as AsyncIterable<RoutesReply>) routes.push(...reply.routes.filter((route) => called(route.vrf)));
        return routes;
      },
      json: (routes) => routes,
      text: (routes) => table([
        { key: 'vrf' }, { key: 'prefix' }, { key: 'id', title: 'NH', number: true }, { key: 'hop', title: 'NEXT HOP' }, { key: 'protocol', title: 'PROTOCOL NEXT HOP' }, { key: 'label', number: true },
        { key: 'tunnel' }, { key: 'origin' }, { key: 'source' }, { key: 'targets', title: 'ROUTE TARGETS' },
      ], routeRows(routes), 'no routes'),
    }, options)));

  program.command('resync <appliance>').description('sends an appliance its whole state again')
    .option('--force', 'even if more would be removed than its guard allows', false)
    .action((appliance: string, { force }: { force: boolean }) => using(async (controller) => {
      await controller.resync({ appliance, force });
    }));
}
