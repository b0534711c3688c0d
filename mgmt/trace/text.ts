/** A walk as people read it. */
import type { LiveHop } from './live.ts';
import type { Hop, Leg, Walk } from './walk.ts';

/** @param live what appliances told themselves, if they were asked */
export function walkText({ from, to, there, back }: Walk, live?: ReadonlyMap<Hop, LiveHop>): string {
  const target = to.word === to.address ? to.address : `${to.word} (${to.address})`;
  const lines = [`${from.word} → ${target}: ${there.packet}`, ...legLines(there, live)];
  if (back) lines.push('', `the answer: ${back.packet}`, ...legLines(back, live));
  else if (there.outcome.kind === 'leaves') lines.push('', 'the answer: from where it would come in, nobody here knows');
  return lines.join('\n');
}

function legLines({ hops, outcome }: Leg, live: ReadonlyMap<Hop, LiveHop> | undefined): string[] {
  const hints = outcome.hints.length === 0 ? [] : ['  what would change it:', ...outcome.hints.map((hint) => `  - ${hint}`)];
  return [...hops.flatMap((hop) => hopLines(hop, live?.get(hop))), `${outcome.kind === 'dropped' ? '✗' : '✓'} ${outcome.text}`, ...hints];
}

function hopLines({ appliance, version, steps }: Hop, live: LiveHop | undefined): string[] {
  const width = Math.max(...steps.map(({ depth, node }) => 2 * depth + node.length)) + 2;
  const lines = steps.flatMap(({ depth, node, text, objects }) => [
    `${`${'  '.repeat(depth)}${node}`.padEnd(width)}${text}`.trimEnd(), ...objects.map((id) => `${' '.repeat(width)}· ${id}`),
  ]);
  return ['', `${appliance}, version ${version}`, ...lines, ...(live ? liveLines(live) : [])];
}

function liveLines({ version, problem, differences }: LiveHop): string[] {
  if (problem !== '') return [`  live: ${problem}`];
  if (differences.length === 0) return [`  live, version ${version}: the same`];
  return [`  live, version ${version}, differs:`, ...differences.map(({ where, text }) => `    ${where === 'live' ? '+' : '-'} ${text}`)];
}
