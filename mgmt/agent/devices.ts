/**
 * Which network devices exist in the dataplane's network namespace. /proc/PID/net/dev shows the namespace of that process,
 * whichever the agent is in and wherever /sys was mounted; reading it a few times a second costs less than a netlink
 * client would ever be worth.
 */
import { readFileSync } from 'node:fs';

/** Names of all devices that the process sees; null where nothing is known: not Linux, or the process is not there. */
export function deviceNames(pid: number): Set<string> | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/net/dev`, 'utf8');
  } catch {
    return null;
  }
  return parseDevices(text);
}

/** Two lines of heading, then "  name: counters…" a device. */
export function parseDevices(text: string): Set<string> {
  const names = new Set<string>();
  for (const line of text.split('\n').slice(2)) {
    const colon = line.lastIndexOf(':'); // an alias has a colon of its own
    if (colon > 0) names.add(line.slice(0, colon).trim());
  }
  return names;
}
