/** audit: who changed what, and when. */
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { AuditEntry, ObjectChange } from '../../../../proto/config.ts';
import { find, withController } from '../../controller-client.ts';
import { kindOf, toDocument } from '../../objects.ts';
import type { GlobalOptions } from '../../target.ts';
import { whenText } from './describe.ts';
import { planText } from './diff.ts';

interface AuditOptions { readonly since?: number; readonly follow: boolean; readonly diff: boolean }

const sign = ({ before, after }: ObjectChange): string => (!before ? 'created' : !after ? 'deleted' : 'changed');

function text({ version, time, who, role, changes, cut }: AuditEntry, withDiff: boolean): string {
  const head = `version ${version}  ${whenText(time)}  ${who} (${role})${cut ? '  packed routes are left out' : ''}`;
  if (withDiff) return `${head}\n${planText({ changes, appliances: [] }).split('\n\n')[0]!.replace(/^/gm, '  ')}`;
  return [head, ...changes.map((change) => { const object = (change.after ?? change.before)!; return `  ${sign(change)}  ${kindOf(object.spec ?? 'unknown')} ${object.name}`; })].join('\n');
}

const plain = ({ version, time, who, role, changes }: AuditEntry): object => ({
  version, time: whenText(time), who, role, changes: changes.map(({ before, after }) => ({ before: before && toDocument(before), after: after && toDocument(after) })),
});

export function auditCommand(program: Command, global: () => GlobalOptions): void {
  program.command('audit [kind] [name]').description('who changed what and when, before and after, oldest first')
    .option('--since <version>', 'only changes after this version', Number)
    .option('--follow', 'and go on as changes happen', false)
    .option('--diff', 'each object line by line', false)
    .addHelpText('after', `
Examples:
  wrouter audit                                            all that is known
  wrouter audit virtual-network k8s-default-pod-network --diff
  wrouter audit --follow -o json >> /var/log/wrouter-audit.jsonl`)
    .action((kind: string | undefined, name: string | undefined, { since, follow, diff }: AuditOptions) => withController(global(), async (controller) => {
      // What was deleted is found by its full name only.
      const whole = kind && name && !name.includes(':') ? (await find(controller, kind, name).catch(() => undefined))?.name ?? name : name;
      const request = { version: since ?? 0, latest: since === undefined, kind: kind ?? '', name: whole ?? '', follow };
      const { output } = global();
      let told = 0;
      for await (const entry of controller.audit(request) as AsyncIterable<AuditEntry>) {
        told++;
        console.log(output === 'json' ? JSON.stringify(plain(entry)) : output === 'yaml' ? `---\n${stringify(plain(entry)).trimEnd()}` : text(entry, diff));
      }
      if (told === 0 && output === 'table') console.log(`no changes are known${name ? '; what was deleted is found by its full name' : ''}`);
    }));
}
