// needs: netns
// limit: 400 s
//
// A trace from end to end beside what the appliances themselves tell: the same while they are in sync, and each step that differs when one lags behind.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as assert from 'uvu/assert';
import type { Object as ConfigObject } from '../../proto/config.ts';
import { ADDRESSES } from '../lab/network.ts';
import { labSuite } from '../lab/suite.ts';

const WROUTER = fileURLToPath(new URL('../../mgmt/cli/wrouter.ts', import.meta.url));
const POD = 'default-domain:k8s-ns-user-1:pod-1';
const FIP = 'default-domain:k8s-ns-user-1:k8s-vn-ns-default-pod-network:pool-ns-default:pod-1';
const COMPUTE = 'default-global-system-config:compute-1';

interface LiveHop { appliance: string; version: number; live: { version: number; problem: string; differences: { where: string; text: string }[] } }
interface Told { there: { outcome: { kind: string; reason: string }; hops: LiveHop[] }; back?: { outcome: { kind: string }; hops: LiveHop[] } }

const test = labSuite('live trace', {});
const trace = (contextFile: string, ...args: string[]): Promise<string> => new Promise((resolve, reject) => {
  execFile(process.execPath, [WROUTER, '--context', contextFile, 'trace', '--from', POD, '--to', ADDRESSES.internet, '--tcp', '443', '--live', ...args], (error, out, said) => (error ? reject(new Error(said)) : resolve(out)));
});

test('appliances in sync tell the same, once their neighbours have been met', async ({ lab, pod, internet, floatingIp }) => {
  for (const [host, to] of [[pod, ADDRESSES.internet], [internet, floatingIp]] as const) assert.is.not((await host.ping(to, 5, 50)).received, 0);
  const { there, back } = JSON.parse(await trace(lab.contextFile, '-o', 'json')) as Told;
  assert.equal([there.outcome.kind, back!.outcome.kind], ['leaves', 'arrives']);
  for (const { appliance, version, live } of [...there.hops, ...back!.hops]) {
    assert.equal(live, { version, problem: '', differences: [] }, appliance);
  }
  assert.match(await trace(lab.contextFile), /compute-1, version \d+\n[^✓]*\n {2}live, version \d+: the same\n/);
});

test('an appliance that lags tells the step that differs, and the version that it is at', async ({ lab }) => {
  const { config } = lab.controller;
  const router = await config.get({ kind: 'virtual-router', name: COMPUTE });
  const enrolled = (blocked: boolean): ConfigObject => ({ ...router, version: 0, virtualRouter: { ...router.virtualRouter!, enrolment: { blocked, certificates: [] } } });
  await config.commit({ operations: [{ put: enrolled(true) }] }); // its session ends, it forwards on
  try {
    await config.commit({ operations: [{ delete: { kind: 'floating-ip', name: FIP } }] });
    const { there } = JSON.parse(await trace(lab.contextFile, '-o', 'json')) as Told;
    assert.is(there.outcome.reason, 'no_route');
    const [{ version, live }] = there.hops as [LiveHop];
    assert.ok(live.version < version, `live at ${live.version}, states at ${version}`);
    const texts = (where: string): string => live.differences.filter((each) => each.where === where).map(({ text }) => text).join('\n');
    assert.match(texts('states'), /no_route/);
    assert.match(texts('live'), /source becomes 101\.101\.101\.\d+/);
    assert.match(await trace(lab.contextFile), /live, version \d+, differs:\n( {4}[-+] .*\n)+/);
  } finally {
    await config.commit({ operations: [{ put: enrolled(false) }] });
  }
});

test.run();
