/** What traffic notices when the controller, an agent or an lcore ends: the whole lab in namespaces, over AF_XDP. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NamespaceHost, ProbeResult } from '../../lab/hosts.ts';
import { Lab } from '../../lab/lab.ts';
import { networkKind } from '../../lab/network.ts';
import type { Row } from '../rows.ts';

/** The lab's probes: echo requests from the internet to a pod's floating IP, one a millisecond. */
const PROBE_INTERVAL_MS = 1;
const LIMIT_MS = 50;

export async function restartRows(report: (row: Row) => void): Promise<void> {
  const { kind, reason } = networkKind();
  if (kind !== 'namespaces') {
    console.error(`left out: controller, agent and lcore ending under traffic (${reason ?? 'no network namespaces'})`);
    return;
  }
  const lab = await Lab.open({ kind, faults: true });
  try {
    const probe = (meanwhile: () => Promise<void>): Promise<ProbeResult> => (lab.internet as NamespaceHost).probe(lab.pods[0]?.floatingIp ?? '', meanwhile);
    await probe(() => sleep(1000)); // neighbours resolved, code optimised
    report(lossRow('controller killed and started again', await probe(async () => {
      await lab.controller.kill();
      await sleep(1000);
      await lab.controller.start();
      await lab.inSync();
    })));
    report(lossRow('agent killed and started again', await probe(async () => {
      await lab.compute.killAgent();
      await sleep(500);
      await lab.compute.startAgent();
      await lab.inSync();
    })));
    for (const fault of ['trap', 'hang']) await reportFault(report, lab, probe, fault);
  } finally {
    await lab.close();
  }
}

async function reportFault(report: (row: Row) => void, lab: Lab, probe: (meanwhile: () => Promise<void>) => Promise<ProbeResult>, fault: string): Promise<void> {
  const { dataplane } = lab.compute;
  const restartsBefore = (await dataplane.lcores()).lcores[0]?.restarts ?? 0;
  const result = await probe(async () => {
    await dataplane.injectFault({ lcore: 0, fault });
    await sleep(1500);
  });
  const [lcore] = (await dataplane.lcores()).lcores;
  if ((lcore?.restarts ?? 0) === restartsBefore) throw new Error(`the lcore did not notice the ${fault}`);
  report({ name: `lcore ${fault}: probes lost, one a millisecond`, value: lostProbes(result) * PROBE_INTERVAL_MS, unit: 'ms', bar: { kind: '≤', limit: LIMIT_MS } });
  report({ name: `lcore ${fault}: gap that the dataplane tells`, value: lcore?.lastRestartGapMs ?? Number.NaN, unit: 'ms', bar: { kind: '≤', limit: LIMIT_MS } });
}

function lossRow(what: string, result: ProbeResult): Row {
  return { name: `${what}: of ${result.sent.toLocaleString('en-GB')} probes lost`, value: lostProbes(result), unit: 'probes', bar: { kind: '≤', limit: 0 } };
}

function lostProbes({ lost }: ProbeResult): number {
  return lost.reduce((sum, [, count]) => sum + count, 0);
}
