/** state and refusals: what an appliance is at, with whom it is in session, and which records it could not take. */
import type { Command } from 'commander';
import type { RefusedRecord, State } from '../../../proto/appliance.ts';
import type { State as DataplaneState } from '../../../proto/dataplane.ts';
import { count, list, show, table, UsageError } from '../output.ts';
import { openAppliance, openDataplane, type GlobalOptions } from '../target.ts';

function dataplaneLines(state: DataplaneState | null): (readonly [string, string | number | undefined])[] {
  if (!state) return [['data plane', 'away']];
  return [
    ['kind', state.kind], ['profile', state.profile], ['history', state.stateId || 'none yet'],
    ['version', state.version || (state.stateId ? 'none whole: a resync is under way, or was cut' : 0)],
    ['forwards by', state.restored ? 'the last good state from disk' : undefined], ['running since', new Date(state.startedMs).toISOString()],
    ['core', state.coreSha256.slice(0, 16)], ['layout', state.layoutVersion],
    ['records', Object.entries(state.totals).map(([name, total]) => `${count(total)} ${name}`).join(', ')],
  ];
}

function sessionLines({ session, problem }: State): (readonly [string, string | number | undefined])[] {
  return [
    ['controller', session?.controller ? `${session.controllerName} at ${session.controller}, in session since ${session.since}` : `none: headless since ${session?.since ?? '?'}`],
    ['controllers', session?.controllers.join(', ')],
    ['passed on', session?.controller ? `${count(session.messages)} messages, ${count(session.bytes)} bytes, ${session.inFlight} not yet acknowledged` : undefined],
    ['resync', session?.resync ? 'under way' : undefined],
    ['refused', session?.refusals ? `${session.refusals} records: wrouter refusals` : undefined],
    ['problem', problem],
  ];
}

export function stateCommands(program: Command, global: () => GlobalOptions): void {
  program.command('state').description('version, session with a controller, records per table')
    .addHelpText('after', '\nExamples:\n  wrouter state --on compute\n  wrouter state --socket /run/wrouter/dataplane.sock    without an agent')
    .action(async () => {
      const { socket } = global();
      if (socket !== undefined) {
        const dataplane = openDataplane(socket);
        try {
          await show<DataplaneState>({ read: () => dataplane.getState(), json: (state) => state, text: (state) => list(dataplaneLines(state)) }, global());
        } finally {
          dataplane.close();
        }
        return;
      }
      const appliance = openAppliance(global());
      try {
        await show<State>({
          read: () => appliance.getState(),
          json: (state) => state,
          text: (state) => list([['appliance', state.name], ...dataplaneLines(state.dataplane), ...sessionLines(state)]),
        }, global());
      } finally {
        appliance.close();
      }
    });

  program.command('refusals').description('records that the appliance refuses now, and why')
    .action(async () => {
      if (global().socket !== undefined) throw new UsageError('refusals are kept by the agent: use --on NODE');
      const appliance = openAppliance(global());
      try {
        await show<RefusedRecord[]>({
          read: async () => (await appliance.refusals()).records,
          json: (records) => records,
          text: (records) => table([{ key: 'since' }, { key: 'key', title: 'RECORD' }, { key: 'reason' }, { key: 'code', number: true }, { key: 'version', number: true }],
            records.map(({ since, key, reason, code, version }) => ({ since, key, reason, code, version })), 'nothing is refused'),
        }, global());
      } finally {
        appliance.close();
      }
    });
}
