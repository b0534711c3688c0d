/** token: what programs without a certificate call with. */
import { type Command, InvalidArgumentError } from 'commander';
import { withController } from '../../controller-client.ts';
import type { GlobalOptions } from '../../target.ts';

const DAY_S = 24 * 3600;
const days = (text: string): number => {
  const value = Number(text);
  if (!(value > 0 && value <= 3650)) throw new InvalidArgumentError('days between 0 and 3650');
  return value;
};

export function tokenCommand(program: Command, global: () => GlobalOptions): void {
  program.command('token').description('tokens of programs without certificates').helpCommand(false)
    .command('create <name>').description('makes one and prints it: it is told once')
    .requiredOption('--role <role>', 'cloud-admin, project-admin or read-only')
    .option('--project <name...>', 'projects that it is for', [])
    .option('--days <n>', 'how long it is valid', days, 365)
    .addHelpText('after', `
Examples:
  wrouter token create ci --role project-admin --project default-domain:k8s-ns-user-1 --days 30
  WROUTER_TOKEN=wrouter.… wrouter list --controller HOST:PORT      the port of --token-listen
  wrouter delete access-token ci                                   ends it at once`)
    .action((name: string, { role, project: projects, days: valid }: { role: string; project: string[]; days: number }) => withController(global(), async (controller) => {
      const { token, object } = await controller.createToken({ name, role, projects, expires: Math.floor(Date.now() / 1000 + valid * DAY_S) });
      console.log(global().output === 'json' ? JSON.stringify({ token, name: object?.name }) : token);
    }));
}
