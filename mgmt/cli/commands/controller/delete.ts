/** delete: objects that nothing uses. */
import type { Command } from 'commander';
import { find, withController } from '../../controller-client.ts';
import { kindOf } from '../../objects.ts';
import type { GlobalOptions } from '../../target.ts';
import { objectsOf } from './apply.ts';

export function deleteCommand(program: Command, global: () => GlobalOptions): void {
  program.command('delete [kind] [name]').description('deletes an object that nothing uses, or all objects of files')
    .option('-f, --file <file...>', 'YAML or JSON as for apply: all of its objects, in one transaction; - is stdin')
    .addHelpText('after', `
Examples:
  wrouter delete floating-ip default-domain:k8s-ns-user-1:vn:pool:web
  wrouter delete -f network.yaml
What is in use is not deleted, and its users are named: wrouter describe KIND NAME shows them too.`)
    .action((kind: string | undefined, name: string | undefined, { file: files }: { file?: string[] }, command: Command) => withController(global(), async (controller) => {
      if ((files === undefined) === (kind === undefined || name === undefined)) command.error('error: either KIND and NAME, or -f FILE');
      const wanted = files
        ? objectsOf(files).map((object) => ({ kind: kindOf(Object.keys(object).find((key) => key !== 'name' && key !== 'version')!), name: object.name! }))
        : [{ kind: kind!, name: (await find(controller, kind!, name!)).name }];
      const reply = await controller.commit({ operations: wanted.map((each) => ({ delete: each })) });
      console.log(global().output === 'json' ? JSON.stringify({ version: reply.version }) : `version ${reply.version}`);
    }));
}
