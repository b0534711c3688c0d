/** A uvu suite around one lab in network namespaces: up before its tests, down after them and on whatever else ends the process. */
import { suite, type Test } from 'uvu';
import { Lab, type LabOptions } from './lab.ts';
import type { NamespaceHost } from './hosts.ts';
import { NamespaceNetwork } from './network.ts';
import type { Namespaces } from './netns.ts';

/** The lab of a suite, with its hosts as what they are here. */
export interface Bench {
  lab: Lab;
  namespaces: Namespaces;
  internet: NamespaceHost;
  pod: NamespaceHost;
  floatingIp: string;
}

export function labSuite(name: string, options: LabOptions): Test<Bench> {
  const test = suite<Bench>(name);
  let opened: Lab | undefined;
  let failed = true;
  test.before(async (bench) => {
    const lab = (opened = await Lab.open({ ...options, kind: 'namespaces' }));
    if (!(lab.network instanceof NamespaceNetwork)) throw new Error('unreachable');
    const [{ host, floatingIp }] = lab.pods as [Lab['pods'][number]];
    Object.assign(bench, { lab, namespaces: lab.network.namespaces, internet: lab.internet, pod: host, floatingIp });
    failed = false;
  });
  test.after(async () => {
    await opened?.close({ keep: failed });
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  return test;
}
