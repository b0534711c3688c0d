/** apply: objects from files, all or none. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { stringify } from 'yaml';
import type { Object as ConfigObject } from '../../../../proto/config.ts';
import type { Draft } from '../../../../proto/load.ts';
import { withController } from '../../controller-client.ts';
import { kindOf, parseObjects, toDocument } from '../../objects.ts';
import type { GlobalOptions } from '../../target.ts';

/** The objects of files; "-" is stdin. */
export const objectsOf = (files: readonly string[]): Draft<ConfigObject>[] => files.flatMap((file) => parseObjects(readFileSync(file === '-' ? 0 : file, 'utf8'), file));

export function applyCommand(program: Command, global: () => GlobalOptions): void {
  program.command('apply').description('creates or replaces the objects of files, all or none')
    .requiredOption('-f, --file <file...>', 'YAML or JSON, many documents; - is stdin')
    .option('--dry-run', 'checks everything, changes nothing')
    .addHelpText('after', `
Examples:
  wrouter apply -f network.yaml        with, for instance:

    kind: virtual-network
    name: default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network
    spec:
      subnets: [{prefix: 101.101.101.0/24}]
      route_targets: [target:64512:101]

  wrouter get virtual-network k8s-default-pod-network | sed 's/mtu: 1500/mtu: 1400/' | wrouter apply -f -

A document with "version" is applied only if the object is still at that version. What would change: wrouter diff -f FILE.`)
    .action(({ file: files, dryRun = false }: { file: string[]; dryRun?: boolean }) => withController(global(), async (controller) => {
      const { output } = global();
      const reply = await controller.commit({ operations: objectsOf(files).map((put) => ({ put })), dryRun });
      const answer = { version: reply.version, objects: reply.objects.map(toDocument) };
      if (output === 'json') console.log(JSON.stringify(answer, null, 2));
      else if (output === 'yaml') console.log(stringify(answer).trimEnd());
      else console.log(`${reply.objects.map((object) => `${kindOf(object.spec ?? 'unknown')} ${object.name}`).join('\n')}\n${dryRun ? 'would be accepted' : `version ${reply.version}`}`);
    }));
}
