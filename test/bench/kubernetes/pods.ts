/** Pods made at the API until their first packet is answered. */
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { KubernetesLab } from '../../lab/kubernetes/lab.ts';
import type { Pod } from '../../lab/kubernetes/objects.ts';
import { until } from '../../lab/kubernetes/until.ts';
import { quantile } from '../bgp/timing.ts';
import type { Row } from '../rows.ts';

const PODS = 500;
const PER_SECOND = 20;
const ANSWER_SECONDS = 30;
const NAMESPACE = 'default';

const execute = promisify(execFile);

export async function pods(report: (row: Row) => void): Promise<void> {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1)); // namespaces go on exit
  const created = new Map<string, number>();
  const times: number[] = [];
  const failures: string[] = [];
  let to: string | undefined;
  const attached = (pod: Pod, namespace: string): void => {
    const begun = created.get(pod.metadata.name);
    if (begun === undefined) return;
    const { namespaces } = lab.network;
    // With a deadline, -c counts answers: it ends with the first.
    void execute(...namespaces.command(namespace, 'ping', ['-n', '-q', '-c', '1', '-i', '0.01', '-w', String(ANSWER_SECONDS), to!]))
      .then(() => times.push(performance.now() - begun), (error: Error) => failures.push(`${pod.metadata.name}: ${error.message}`));
  };
  const lab = await KubernetesLab.open(undefined, { attached });
  try {
    const make = (name: string): Promise<unknown> => lab.api.client.post(`/api/v1/namespaces/${NAMESPACE}/pods`, {
      metadata: { name, labels: { run: 'bench' } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'none' }] },
    });
    await make('answers');
    to = (await lab.readyPods(NAMESPACE, '', 1, 'answers'))[0]!.status.podIP!;
    const start = performance.now();
    for (let at = 0; at < PODS; at++) {
      await sleep(Math.max(0, start + (at * 1000) / PER_SECOND - performance.now()));
      created.set(`pod-${at}`, performance.now());
      void make(`pod-${at}`).catch((error: Error) => failures.push(error.message));
    }
    await until(`the first answer of ${PODS} pods`, async () => times.length + failures.length >= PODS, 120_000).catch((error: Error) => failures.push(error.message));
    if (failures.length > 0) throw new Error(`${failures.length} pods failed, ${times.length} answered: ${failures.slice(0, 5).join('\n')}`);
    report({ name: `pod created → first packet answered, ${PODS} pods at ${PER_SECOND}/s, p50`, value: quantile(times, 0.5), unit: 'ms', bar: { kind: '≤', limit: 250 } });
    report({ name: 'the same, p99', value: quantile(times, 0.99), unit: 'ms', bar: { kind: '≤', limit: 1000 } });
  } finally {
    await lab.close();
  }
}
