/** The operator's command line. Each command is a client of an appliance's agent, of a data plane's socket, or of the controller. */
import { status } from '@grpc/grpc-js';
import { Command, InvalidArgumentError, Option } from 'commander';
import { completionCommand } from './commands/controller/completion.ts';
import { controllerCommands } from './commands/controller/index.ts';
import { coreCommands } from './commands/core.ts';
import { counterCommands } from './commands/counters.ts';
import { interfaceCommands } from './commands/interfaces.ts';
import { routingCommands } from './commands/routing.ts';
import { stateCommands } from './commands/state.ts';
import { tableCommands } from './commands/tables.ts';
import { traceCommand } from './commands/trace.ts';
import { refusalText } from './grpc-errors.ts';
import { UsageError } from './output.ts';
import type { GlobalOptions } from './target.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

function seconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0.1 && value <= 3600)) throw new InvalidArgumentError('seconds between 0.1 and 3600');
  return value;
}

const program = new Command('wrouter')
  .description('Looks into wrouter appliances, and tells their controller what to do.')
  .optionsGroup('Whom to ask:')
  .option('--on <node>', 'an appliance: its name in the context file, or HOST:PORT of its agent')
  .option('--socket <path>', 'a data plane directly, by its unix socket (on the appliance, as root)')
  .option('--controller <host:port>', 'the controller, instead of the context file\'s')
  .option('--context <file>', 'context file: addresses and the folder of certificates (default: $WROUTER_CONTEXT, ~/.config/wrouter/context.json)')
  .option('--pki <dir>', 'folder of certificates, instead of the context file\'s')
  .option('--as <name>', 'whose certificate to use (default: operator)')
  .optionsGroup('What to print:')
  .addOption(new Option('-o, --output <format>', 'how').choices(['table', 'json', 'yaml']).default('table'))
  .addOption(new Option('--json', 'short for -o json').implies({ output: 'json' }))
  .addOption(new Option('-w, --watch [seconds]', 'again and again, with rates').argParser(seconds).preset('1'))
  .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
  .addHelpText('after', `
Examples:
  wrouter vif --on compute                           interfaces, like Contrail's vif --list
  wrouter rt k8s-default-pod-network 10.32.0.3       the route of an address
  wrouter drops --on gateway --watch                 what is dropped now, and why
  wrouter trace --from pod/ns-user-1/web --to 8.8.8.8 --tcp 443
  wrouter list virtual-network                       objects of the controller
  wrouter routes gateway internet                    routes of a VRF as the controller made them
  wrouter bgp neighbors                              routers that it exchanges VPN routes with

A context file names the rest:
  { "pki": "pki", "controller": "192.0.2.10:9400", "appliances": { "gateway": "192.0.2.11:9411" } }`);

/** Global options are understood before and after the command's name alike. */
const global = (): GlobalOptions => program.opts<GlobalOptions>();

program.commandsGroup('An appliance:');
traceCommand(program, global);
interfaceCommands(program, global);
tableCommands(program, global);
counterCommands(program, global);
stateCommands(program, global);
coreCommands(program, global);
program.commandsGroup('The controller:');
controllerCommands(program, global);
program.commandsGroup('Routing, as the controller knows it:');
routingCommands(program, global);

program.commandsGroup('The shell:');
completionCommand(program, global);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : EXIT_FAILED;
  console.error(`wrouter: ${error instanceof UsageError ? error.message : refusalText(error as Error & { code?: status })}`);
}
