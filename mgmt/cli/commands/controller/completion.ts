/** completion: what the shell asks for when TAB is pressed. */
import type { Command } from 'commander';
import { readContext } from '../../context.ts';
import { listAll, withController } from '../../controller-client.ts';
import { KINDS } from '../../objects.ts';
import type { GlobalOptions } from '../../target.ts';

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_wrouter() {
  local IFS=$'\\n' cur=\${COMP_LINE:0:COMP_POINT}
  local words=(); IFS=' ' read -ra words <<< "$cur"; [[ $cur == *' ' ]] && words+=('')
  IFS=$'\\n'; COMPREPLY=($(wrouter complete -- "\${words[@]:1}" 2>/dev/null))
  # Colons divide words in bash: what is already typed before the last one must not come again.
  local last=\${words[-1]}; if [[ $last == *:* && $COMP_WORDBREAKS == *:* ]]; then COMPREPLY=("\${COMPREPLY[@]#"\${last%"\${last##*:}"}"}"); fi
}
complete -o nosort -F _wrouter wrouter`,
  zsh: `#compdef wrouter
_wrouter() { local -a found; found=(\${(f)"$(wrouter complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"}); compadd -Q -- $found }
compdef _wrouter wrouter`,
};
/** What a shell waits for names. */
const NAMES_MS = 700;

/** Words that may come in the place of the last one. */
export async function complete(program: Command, words: readonly string[], options: GlobalOptions): Promise<string[]> {
  const [last = '', before] = [words.at(-1), words.slice(0, -1)];
  let command = program;
  const given: string[] = [];
  let pending: { choices: readonly string[] | undefined; flag: string } | undefined;
  for (const word of before) {
    if (pending) { pending = undefined; continue; }
    const option = [...command.options, ...program.options].find(({ long, short }) => word === long || word === short);
    if (option) {
      pending = option.required ? { choices: option.argChoices, flag: option.long ?? '' } : undefined;
    } else if (!word.startsWith('-')) {
      const inner = command.commands.find((each) => each.name() === word);
      if (inner) command = inner;
      else given.push(word);
    }
  }
  const starting = (candidates: Iterable<string>): string[] => [...candidates].filter((each) => each.startsWith(last));
  if (pending) return starting(pending.choices ?? (pending.flag === '--on' ? Object.keys(readContext(options.context).appliances) : []));
  if (last.startsWith('-')) return starting([...command.options, ...program.options].flatMap(({ long }) => long ?? []));
  if (command.commands.length > 0) return starting(command.commands.map((each) => each.name()).filter((name) => name !== 'complete'));
  const argument = command.registeredArguments[given.length]?.name();
  if (argument === 'kind') return starting(KINDS);
  if (argument === 'shell') return starting(Object.keys(SCRIPTS));
  const names: string[] = [];
  if (argument === 'name' && given[0] || argument === 'appliance') {
    const kind = argument === 'appliance' ? 'virtual-router' : given[0]!;
    const listed = withController(options, async (controller) => { names.push(...(await listAll(controller, { kind })).map(({ name }) => (argument === 'appliance' ? name.slice(name.lastIndexOf(':') + 1) : name))); });
    await Promise.race([listed.catch(() => undefined), new Promise((resolve) => { setTimeout(resolve, NAMES_MS).unref(); })]);
  }
  return starting(names);
}

export function completionCommand(program: Command, global: () => GlobalOptions): void {
  program.command('completion <shell>').description('prints what makes bash or zsh complete commands, kinds and names')
    .addHelpText('after', `
Examples:
  source <(wrouter completion bash)                                       now
  wrouter completion bash > /etc/bash_completion.d/wrouter                for good
  wrouter completion zsh > "\${fpath[1]}/_wrouter"`)
    .action((shell: string, _options: unknown, command: Command) => {
      const script = SCRIPTS[shell];
      if (script === undefined) command.error(`error: no completion for "${shell}"; there is one for ${Object.keys(SCRIPTS).join(' and ')}`);
      else console.log(script);
    });
  program.command('complete [words...]', { hidden: true }).action(async (words: string[]) => {
    for (const word of await complete(program, words, global())) console.log(word);
  });
}
