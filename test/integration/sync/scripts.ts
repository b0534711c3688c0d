/** What happens in each recording; the messages are recorded by `node test/integration/sync/controller.test.ts --rewrite`. */
import { chapter } from '../../../examples/chapter.ts';
import type { Ack, Hello } from '../../../proto/sync.ts';
import type { Draft } from '../../../proto/load.ts';
import type { Happening } from './recording.ts';

export interface Script {
  readonly name: string;
  readonly happenings: readonly Happening[];
  /** What its appliance says otherwise than one that holds what it was given, and refuses nothing. */
  readonly hello?: Draft<Hello>;
  readonly ack?: (received: { nonce: number; end: boolean; force: boolean }) => Draft<Ack>;
}

const USER = 'default-domain:k8s-ns-user-1';
const POOL = `${USER}:k8s-vn-ns-default-pod-network:pool-ns-default`;
const start: Happening = { what: 'commit', operations: chapter().map((put) => ({ put })) };
const add: Happening = { what: 'commit', operations: [{ put: { name: `${POOL}:second`, floatingIp: { address: '101.101.101.9', virtualMachineInterfaces: [`${USER}:pod-1`] } } }] };
const remove: Happening = { what: 'commit', operations: [{ delete: { kind: 'floating-ip', name: `${POOL}:second` } }] };
/** As kube-manager makes it: with two interfaces, the second one in the user's network. */
const pod: Happening = { what: 'commit', operations: [
  { put: { name: '5c1e4a3e-0000-4000-8000-000000000001', annotations: { kind: 'Pod', namespace: 'default', name: 'web-0', uid: '5c1e4a3e-0000-4000-8000-000000000001' }, virtualMachine: { project: 'default-domain:k8s-default' } } },
  ...[{ port: 'tap0123456789a', network: 'default-domain:k8s-default:k8s-default-pod-network', interface: 'eth0', index: '1/2' }, { port: 'tap0123456789b', network: `${USER}:k8s-vn-ns-default-pod-network`, interface: 'net1', index: '2/2' }].flatMap(({ port, network, interface: name, index }) => [
    { put: {
      name: `default-domain:k8s-default:web-0__${name}`, annotations: { interface: name, index },
      virtualMachineInterface: { mac: `02:00:0a:20:00:0${index[0]}`, virtualNetwork: network, virtualRouter: 'default-global-system-config:compute-1', port, virtualMachine: '5c1e4a3e-0000-4000-8000-000000000001' },
    } },
    { put: { name: `web-0__${name}`, instanceIp: { address: name === 'eth0' ? '10.32.0.77' : '101.101.101.77', virtualNetwork: network, virtualMachineInterfaces: [`default-domain:k8s-default:web-0__${name}`] } } },
  ]),
] };
const connect: Happening = { what: 'connect' };
const disconnect: Happening = { what: 'disconnect' };

export const SCRIPTS: readonly Script[] = [
  { name: '01-fresh-appliance', happenings: [start, connect, disconnect] },
  { name: '02-floating-ip-comes-and-goes', happenings: [start, connect, add, remove, disconnect] },
  { name: '03-delta-after-absence', happenings: [start, connect, disconnect, add, connect, disconnect] },
  { name: '04-controller-restarts', happenings: [start, connect, { what: 'restart' }, connect, add, disconnect] },
  { name: '05-nothing-new', happenings: [start, connect, disconnect, connect, disconnect] },
  {
    name: '06-guard-and-force', happenings: [start, connect, add, { what: 'resync', force: true }, disconnect],
    ack: ({ nonce, end, force }) => (end && !force ? { nonce, error: 'the sweep would remove 90 % of the tables' } : { nonce }),
  },
  { name: '07-record-refused', happenings: [start, connect, add, disconnect], ack: ({ nonce }) => ({ nonce, refusals: nonce === 3 ? [{ batch: 0, record: 0, code: 7, reason: 'table full' }] : [] }) },
  { name: '08-another-history', happenings: [start, connect, disconnect, { what: 'store' }, start, connect, { what: 'resync', force: true }, connect, disconnect] },
  { name: '09-wrong-layout', happenings: [start, connect], hello: { layoutVersion: 999 } },
  { name: '10-workload-leaves', happenings: [start, connect, { what: 'commit', operations: [
    { delete: { kind: 'floating-ip', name: `${POOL}:pod-1` } }, { delete: { kind: 'instance-ip', name: 'pod-1-ip' } }, { delete: { kind: 'virtual-machine-interface', name: `${USER}:pod-1` } },
  ] }, disconnect] },
  { name: '11-pod-comes', happenings: [start, connect, pod, disconnect] },
];
