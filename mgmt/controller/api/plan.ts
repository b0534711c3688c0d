/** What a transaction would change on appliances: their VRFs, interfaces, labels, floating IPs and routes as text, before and after. */
import type * as wire from '../../../proto/config.ts';
import type { Draft } from '../../../proto/load.ts';
import type { Compiler } from '../compile/compiler.ts';
import { splitFloatingKey, type KeySet } from '../compile/keys.ts';
import { formatAddress, formatKey } from '../model/address.ts';
import type { Planned } from '../engine.ts';
import { shown } from './shown.ts';
import { nexthopText } from './views.ts';

/** What an appliance has at the keys that a transaction touches: texts by the record that they are about. */
export interface Reading { readonly appliance: string; readonly resync: boolean; readonly records: ReadonlyMap<string, string> }

export function readRecords(compiler: Compiler, name: string, touched: KeySet): Reading {
  const appliance = compiler.appliances.get(name);
  const records = new Map<string, string>();
  if (!appliance || touched.flooded) return { appliance: name, resync: touched.flooded, records };
  const vrfName = (id: number): string => appliance.vrfs.get(id)?.name ?? `vrf ${id}`;
  const interfaceName = (id: number): string => appliance.interfaces.get(id)?.element.name ?? `interface ${id}`;
  for (const id of touched.vrfs) if (appliance.vrfs.has(id)) records.set(`vrf ${vrfName(id)}`, `mss ${appliance.vrfs.get(id)!.mss}, flags ${appliance.vrfs.get(id)!.flags}`);
  for (const id of touched.interfaces) {
    const element = appliance.interfaces.get(id)?.element;
    if (element) records.set(`interface ${element.name}`, `port ${element.port}, vrf ${element.vrf}, address ${formatAddress(element.workload || element.address)}, mtu ${element.mtu}`);
  }
  for (const label of touched.labels) {
    const record = appliance.labels.get(label);
    if (record) records.set(`label ${label}`, record.key);
  }
  for (const key of touched.floating) {
    const record = appliance.floating.get(key);
    // Without a name it is not a floating IP, but a further address that the workload may send from.
    if (record?.element.name) records.set(`floating-ip ${formatAddress(splitFloatingKey(key).public)} on ${interfaceName(record.interface)}`, `to ${formatAddress(record.element.private)} in ${vrfName(record.vrf)}`);
  }
  for (const instance of appliance.instances.values()) {
    for (const prefix of touched.routes.get(instance.id) ?? []) {
      const paths = instance.route(prefix) === 0 ? [] : compiler.bestPaths(instance, prefix);
      if (paths.length > 0) records.set(`route ${formatKey(prefix)} in ${instance.name}`, paths.map((path) => nexthopText(compiler.nexthopOn(appliance, path))).join(' + '));
    }
  }
  return { appliance: name, resync: false, records };
}

export function planReply({ version, objects, changes, before, after }: Planned<Reading>): Draft<wire.CommitReply> {
  return {
    version, objects: objects.map(shown),
    changes: changes.map((change) => ({ before: change.before ? shown(change.before) : null, after: change.after ? shown(change.after) : null })),
    appliances: after.map((now, at) => {
      const records = [...new Set([...before[at]!.records.keys(), ...now.records.keys()])].sort()
        .map((record) => ({ record, before: before[at]!.records.get(record) ?? '', after: now.records.get(record) ?? '' }))
        .filter((record) => record.before !== record.after);
      return { appliance: now.appliance, resync: now.resync, records };
    }).filter(({ records, resync }) => resync || records.length > 0),
  };
}
