/** appliances, resync: what appliances are at, and their whole state anew. */
import type { Command } from 'commander';
import type { Appliance } from '../../../../proto/config.ts';
import { withController } from '../../controller-client.ts';
import { count, list, show, table } from '../../output.ts';
import type { GlobalOptions } from '../../target.ts';

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

export function appliancesCommand(program: Command, global: () => GlobalOptions): void {
  program.command('appliances [name]').description('appliances: in session, version live, refusals, problems')
    .addHelpText('after', '\nExamples:\n  wrouter appliances --watch      until all are in sync\n  wrouter appliances compute-1    one, in full, with what it refuses')
    .action((name: string | undefined) => withController(global(), (controller) => show<Appliance[]>({
      read: async () => (await controller.appliances({ appliance: name ?? '' })).appliances,
      json: (appliances) => appliances,
      text: (appliances) => (name !== undefined ? appliances.map(applianceBlock).join('\n\n') || `no appliance "${name}"` : table(
        [{ key: 'name' }, { key: 'kind' }, { key: 'state' }, { key: 'since' }, { key: 'version', number: true }, { key: 'live', number: true }, { key: 'refused', number: true }, { key: 'peer' }, { key: 'problem' }],
        appliances.map(({ name: each, kind, state, since, version, liveVersion, refused, peer, problem }) => ({ name: each, kind, state, since, version, live: liveVersion, refused: refused.length || undefined, peer, problem })), 'no appliances')),
    }, global())));

  program.command('resync <appliance>').description('sends an appliance its whole state again')
    .option('--force', 'even if more would be removed than its guard allows', false)
    .addHelpText('after', '\nExample:\n  wrouter resync compute-1')
    .action((appliance: string, { force }: { force: boolean }) => withController(global(), async (controller) => {
      await controller.resync({ appliance, force });
    }));
}
