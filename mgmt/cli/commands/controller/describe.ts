/** describe: an object with what it refers to, who refers to it, and who changed it last. */
import type { Command } from 'commander';
import type { AuditEntry, Object as ConfigObject } from '../../../../proto/config.ts';
import { find, listAll, withController, type Controller } from '../../controller-client.ts';
import { kindOf, toDocument, toYaml } from '../../objects.ts';
import { show } from '../../output.ts';
import type { GlobalOptions } from '../../target.ts';

interface Description { readonly object: ConfigObject; readonly users: readonly ConfigObject[]; readonly changes: readonly AuditEntry[] }

const LAST_CHANGES = 5;
const idOf = (object: ConfigObject): string => `${kindOf(object.spec ?? 'unknown')} ${object.name}`;

async function read(controller: Controller, kind: string, name: string): Promise<Description> {
  const object = await find(controller, kind, name);
  const users = await listAll(controller, { refersTo: { kind, name: object.name } });
  const changes: AuditEntry[] = [];
  for await (const entry of controller.audit({ latest: true, kind, name: object.name }) as AsyncIterable<AuditEntry>) changes.push(entry);
  return { object, users, changes: changes.slice(-LAST_CHANGES) };
}

export const whenText = (ms: number): string => new Date(ms).toISOString();

function text({ object, users, changes }: Description): string {
  const lines = (title: string, rows: readonly string[]): string => `${title}:${rows.length ? rows.map((row) => `\n  ${row}`).join('') : ' none'}`;
  return [toYaml([object]), lines('used by', users.map(idOf)), lines('last changes', changes.map(({ version, time, who, role }) => `version ${version}, ${whenText(time)}, ${who} (${role})`))].join('\n\n');
}

export function describeCommand(program: Command, global: () => GlobalOptions): void {
  program.command('describe <kind> <name>').description('an object with who uses it, and who changed it last')
    .addHelpText('after', `
Examples:
  wrouter describe virtual-network k8s-default-pod-network    what must go before it can be deleted
  wrouter describe route-target target:64512:101              who imports or exports it`)
    .action((kind: string, name: string) => withController(global(), (controller) => show<Description>({
      read: () => read(controller, kind, name), text,
      json: ({ object, users, changes }) => ({ ...toDocument(object), used_by: users.map(idOf), last_changes: changes.map(({ version, time, who, role }) => ({ version, time: whenText(time), who, role })) }),
    }, global())));
}
