/** A large cluster, new to the controller, until everything of it is there; and what kube-manager costs then. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPki } from '../../../mgmt/pki/authority.ts';
import { Controller } from '../../lab/controller.ts';
import { freePorts } from '../../lab/free-ports.ts';
import { ApiServer } from '../../lab/kubernetes/api-server.ts';
import { KubeManager } from '../../lab/kubernetes/kube-manager.ts';
import type { Row } from '../rows.ts';
import { fill, nodeName, type Size } from './cluster.ts';

const SIZE: Size = { nodes: 100, namespaces: 200, pods: 5000, services: 1000 };
/** What it says of each pod in Kubernetes it says after that. */
const REST_MS = 30_000;
const IDLE_MS = 10_000;

export async function scale(report: (row: Row) => void): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'wrouter-scale-'));
  const api = await ApiServer.start({ directory: join(directory, 'kubernetes'), controllers: false });
  const controller = new Controller(directory, `127.0.0.1:${(await freePorts(1))[0]}`);
  let manager: KubeManager | undefined;
  try {
    await fill(api.client, SIZE);
    await controller.issueCertificates([]);
    await createPki(join(directory, 'pki'), [{ name: 'kube-manager', role: 'cloud-admin' }]);
    await controller.start();
    await controller.config.commit({ operations: Array.from({ length: SIZE.nodes }, (_, at) => ({ create: {
      name: `default-global-system-config:${nodeName(at)}`,
      virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'fabric', address: `10.169.25.${at + 1}/24`, mac: `02:00:0a:a9:19:${(at + 1).toString(16).padStart(2, '0')}` } },
    } })) });
    manager = await KubeManager.prepare({ directory, api, controller: controller.address });
    const started = performance.now();
    await manager.start();
    const what = `${SIZE.pods} pods, ${SIZE.services} services, ${SIZE.namespaces} namespaces`;
    report({ name: `${what}: kube-manager's start until in sync`, value: (performance.now() - started) / 1000, unit: 's', bar: { kind: '≤', limit: 60 } });
    report({ name: 'kube-manager with them, greatest RSS', value: greatestMemory(manager.pid!), unit: 'MiB', bar: { kind: '≤', limit: 512 } });
    await sleep(REST_MS);
    const before = processorSeconds(manager.pid!);
    await sleep(IDLE_MS);
    report({ name: 'kube-manager with them, idle', value: (100 * (processorSeconds(manager.pid!) - before)) / (IDLE_MS / 1000), unit: '% of a core', bar: { kind: '≤', limit: 1 } });
    await judge(controller);
  } finally {
    await manager?.stop();
    await controller.stop();
    await api.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The rows mean nothing unless the objects are there. */
async function judge(controller: Controller): Promise<void> {
  for (const [kind, count] of [['virtual-machine', SIZE.pods], ['virtual-machine-interface', SIZE.pods], ['floating-ip', SIZE.services]] as const) {
    let found = 0;
    for (let pageToken = ''; ; ) {
      const { objects, nextPageToken } = await controller.config.list({ kind, pageToken });
      found += objects.length;
      if (nextPageToken === '') break;
      pageToken = nextPageToken;
    }
    if (found < count) throw new Error(`in sync, it said, with ${found} of ${count} objects ${kind}`);
  }
}

const greatestMemory = (pid: number): number => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

/** User and system time in ticks of 10 ms, fields 14 and 15 of stat (proc(5)). */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
