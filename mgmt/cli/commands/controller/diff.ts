/** diff: what applying files would change, objects and what becomes of them on each appliance. Nothing is changed. */
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { CommitReply, Object as ConfigObject, ObjectChange } from '../../../../proto/config.ts';
import { withController } from '../../controller-client.ts';
import { kindOf, toDocument } from '../../objects.ts';
import { show } from '../../output.ts';
import type { GlobalOptions } from '../../target.ts';
import { objectsOf } from './apply.ts';

const EXIT_DIFFERENT = 1;

/** Lines of two texts: those that go with "-", those that come with "+", the others as they are (longest common subsequence). */
export function lineDiff(before: readonly string[], after: readonly string[]): string[] {
  const longest = Array.from({ length: before.length + 1 }, () => new Uint32Array(after.length + 1));
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) longest[i]![j] = before[i] === after[j] ? longest[i + 1]![j + 1]! + 1 : Math.max(longest[i + 1]![j]!, longest[i]![j + 1]!);
  }
  const lines: string[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) [lines[lines.length], i, j] = [`  ${before[i]}`, i + 1, j + 1];
    else if (j >= after.length || i < before.length && longest[i + 1]![j]! >= longest[i]![j + 1]!) lines.push(`- ${before[i++]}`);
    else lines.push(`+ ${after[j++]}`);
  }
  return lines;
}

const specLines = (object: ConfigObject | null): string[] => {
  if (!object) return [];
  const { spec } = toDocument(object) as { spec: object };
  return Object.keys(spec).length === 0 ? [] : stringify(spec).trimEnd().split('\n');
};

function objectText({ before, after }: ObjectChange): string {
  const object = (after ?? before)!;
  const sign = !before ? '+' : !after ? '-' : '~';
  return [`${sign} ${kindOf(object.spec ?? 'unknown')} ${object.name}`, ...lineDiff(specLines(before), specLines(after)).map((line) => `    ${line}`)].join('\n');
}

export function planText({ changes, appliances }: Pick<CommitReply, 'changes' | 'appliances'>): string {
  if (changes.length === 0) return 'nothing would change';
  const blocks = appliances.map(({ appliance, records, resync }) => [`appliance ${appliance}${resync ? ': more than is told one by one, it would be resynced' : ''}`, ...records.flatMap(({ record, before, after }) => {
    if (!before) return [`  + ${record}: ${after}`];
    return after ? [`  ~ ${record}: ${before} -> ${after}`] : [`  - ${record}: ${before}`];
  })].join('\n'));
  return [changes.map(objectText).join('\n'), ...(blocks.length ? blocks : ['no appliance would change'])].join('\n\n');
}

export function diffCommand(program: Command, global: () => GlobalOptions): void {
  program.command('diff').description('what applying files would change, down to routes and floating IPs on each appliance')
    .requiredOption('-f, --file <file...>', 'YAML or JSON, many documents; - is stdin')
    .addHelpText('after', `
The controller compiles the change and takes it back: what is shown is what appliances would get. + comes, - goes, ~ changes.
Exit code: 0 nothing would change, 1 something would, 2 the command line is wrong.

Examples:
  wrouter diff -f network.yaml
  wrouter get virtual-network public -o yaml | sed 's/target:64512:1/target:64512:2/' | wrouter diff -f -`)
    .action(({ file: files }: { file: string[] }) => withController(global(), async (controller) => {
      const plan = await controller.commit({ operations: objectsOf(files).map((put) => ({ put })), dryRun: true, plan: true });
      await show<CommitReply>({
        read: async () => plan, text: planText,
        json: ({ changes, appliances }) => ({ changes: changes.map(({ before, after }) => ({ before: before && toDocument(before), after: after && toDocument(after) })), appliances }),
      }, { ...global(), watch: undefined });
      if (plan.changes.length > 0) process.exitCode = EXIT_DIFFERENT;
    }));
}
