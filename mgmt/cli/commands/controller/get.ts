/** get, list: objects, one or many. */
import type { Command } from 'commander';
import type { Object as ConfigObject } from '../../../../proto/config.ts';
import { find, listAll, withController } from '../../controller-client.ts';
import { kindOf, toDocument, toYaml } from '../../objects.ts';
import { show, table } from '../../output.ts';
import type { GlobalOptions } from '../../target.ts';

interface ListOptions { readonly prefix: string; readonly project: string }

const listing = (kind: string, { prefix, project }: ListOptions, options: GlobalOptions): Promise<void> => withController(options, (controller) => show<ConfigObject[]>({
  read: () => listAll(controller, { kind, prefix, project }),
  json: (objects) => objects.map(toDocument),
  text: (objects) => table([{ key: 'kind' }, { key: 'name' }, { key: 'version', number: true }, { key: 'uuid' }],
    objects.map((object) => ({ kind: kindOf(object.spec ?? 'unknown'), name: object.name, version: object.version, uuid: object.uuid })), `no objects${kind ? ` of kind ${kind}` : ''}`),
}, options));

export function getCommand(program: Command, global: () => GlobalOptions): void {
  program.command('get <kind> [name]').description('one object, as YAML or JSON that `apply` takes; without a name, those of a kind')
    .option('--prefix <name>', 'only names that begin so: default-domain:k8s-ns-user-1:', '')
    .option('--project <name>', 'only objects of a project', '')
    .addHelpText('after', `
Examples:
  wrouter get virtual-network                                 all networks
  wrouter get virtual-network k8s-default-pod-network         the full name, or the end of it, or the UUID
  wrouter get floating-ip --project default-domain:k8s-ns-user-1 -o yaml
  wrouter get bgp-router gateway -o json                      a key that is set is shown as "(hidden)"`)
    .action((kind: string, name: string | undefined, filter: ListOptions) => (name === undefined ? listing(kind, filter, global())
      : withController(global(), (controller) => show<ConfigObject>({ read: () => find(controller, kind, name), json: toDocument, text: (object) => toYaml([object]) }, global()))));

  program.command('list [kind]').description('objects, of one kind or of all')
    .option('--prefix <name>', 'only names that begin so: default-domain:k8s-ns-user-1:', '')
    .option('--project <name>', 'only objects of a project', '')
    .addHelpText('after', '\nExamples:\n  wrouter list\n  wrouter list instance-ip --project default-domain:k8s-ns-user-1')
    .action((kind: string | undefined, filter: ListOptions) => listing(kind ?? '', filter, global()));
}
