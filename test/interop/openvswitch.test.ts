// needs: netns, openvswitch
//
// Open vSwitch in the gateway's place: an MPLSoGRE tunnel end that is not ours encapsulates what our compute appliance must open, and
// opens what it encapsulates. The labels are those that the controller allocated.
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Route } from '../../proto/config.ts';
import { assertTransfers } from '../lab/assert-transfers.ts';
import type { Lab } from '../lab/lab.ts';
import { ADDRESSES, MACS } from '../lab/network.ts';
import { labSuite } from '../lab/suite.ts';
import { OpenVSwitch } from './openvswitch.ts';

const test = labSuite('Open vSwitch', { gateway: false });
let vswitch: OpenVSwitch | undefined;

test.before(async ({ lab, namespaces }) => {
  vswitch = new OpenVSwitch(namespaces, 'gateway', join(lab.directory, 'openvswitch'));
  await vswitch.start({
    namespace: 'gateway',
    fabricDevice: 'fabric',
    local: `${ADDRESSES.gatewayTunnel}/${ADDRESSES.fabricLength}`,
    remote: ADDRESSES.computeTunnel,
    insideDevice: 'external',
    insideMac: MACS.internet,
    routerMac: MACS.gatewayExternal,
    out: await Promise.all(lab.pods.map(async ({ floatingIp }) => ({ prefix: `${floatingIp}/32`, label: await label(lab, lab.gateway.name, `${floatingIp}/32`) }))),
    in: await label(lab, lab.compute.name, '0.0.0.0/0'),
  });
});

test.after(() => vswitch?.stop());

test('ping through the floating IP, in both directions', async ({ lab, internet }) => {
  await internet.ping(lab.pods[0]!.floatingIp, 2, 200); // Open vSwitch drops what comes before it knows the neighbour.
  for (const { host, floatingIp, name } of lab.pods) {
    assert.is((await internet.ping(floatingIp, 5, 20)).received, 5, `internet to ${name}\n${vswitch?.flows()}`);
    assert.is((await host.ping(ADDRESSES.internet, 5, 20)).received, 5, `${name} to internet\n${vswitch?.flows()}`);
  }
});

test('TCP through the floating IP, in both directions', ({ internet, pod, floatingIp }) => assertTransfers(internet, pod, floatingIp));

test.run();

/** The label that an appliance pushes for a prefix, as the controller compiled it. */
async function label(lab: Lab, appliance: string, prefix: string): Promise<number> {
  const found: Route[] = [];
  for await (const reply of lab.controller.config.routes({ appliance, prefix })) found.push(...(reply as { routes: Route[] }).routes);
  const labels = new Set(found.flatMap(({ paths }) => paths).map((path) => path.label).filter((value) => value !== 0));
  assert.is(labels.size, 1, `labels of ${prefix} at ${appliance}: ${JSON.stringify(found)}`);
  return [...labels][0]!;
}
