/** events: changes as they happen. */
import type { Command } from 'commander';
import type { Event } from '../../../../proto/config.ts';
import { withController } from '../../controller-client.ts';
import { kindOf, toDocument } from '../../objects.ts';
import type { GlobalOptions } from '../../target.ts';

export function eventsCommand(program: Command, global: () => GlobalOptions): void {
  program.command('events [kind]').description('changes as they happen, one a line')
    .addHelpText('after', '\nExamples:\n  wrouter events                          from now on\n  wrouter events floating-ip --since 120')
    .option('--since <version>', 'from this version on', Number)
    .action((kind: string | undefined, { since }: { since?: number }) => withController(global(), async (controller) => {
      const version = since ?? (await controller.list({ kind: kind ?? '', pageSize: 1 })).version;
      for await (const event of controller.watch({ version, kind: kind ?? '' }) as AsyncIterable<Event>) {
        const { object } = event;
        if (!object) continue;
        if (global().output === 'json') console.log(JSON.stringify({ version: event.version, deleted: event.deleted, object: toDocument(object) }));
        else console.log(`${event.version}  ${event.deleted ? 'deleted' : 'written'}  ${kindOf(object.spec ?? 'unknown')} ${object.name}`);
      }
    }));
}
