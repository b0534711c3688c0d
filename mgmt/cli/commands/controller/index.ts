/** The controller's verbs, one file each. */
import type { Command } from 'commander';
import type { GlobalOptions } from '../../target.ts';
import { appliancesCommand } from './appliances.ts';
import { applyCommand } from './apply.ts';
import { auditCommand } from './audit.ts';
import { backupCommand } from './backup.ts';
import { deleteCommand } from './delete.ts';
import { describeCommand } from './describe.ts';
import { diffCommand } from './diff.ts';
import { eventsCommand } from './events.ts';
import { getCommand } from './get.ts';
import { routesCommand } from './routes.ts';
import { tokenCommand } from './token.ts';

export function controllerCommands(program: Command, global: () => GlobalOptions): void {
  for (const command of [getCommand, describeCommand, applyCommand, diffCommand, deleteCommand, eventsCommand, auditCommand, appliancesCommand, routesCommand, tokenCommand, backupCommand]) command(program, global);
}
