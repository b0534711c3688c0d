// The simulation's stores keep what every store must, else what is found with them would say nothing of the others: the one with a disk of
// its own, and the real engine over the simulated etcd, which thereby shows that it does what etcd does.
import { EtcdStore } from '../../mgmt/controller/store/etcd.ts';
import { conformance } from '../unit/controller/store-conformance.ts';
import { SimulatedEtcd } from './etcd.ts';
import { Network } from './network.ts';
import { SimulatedStore, StoreDisk } from './store.ts';
import { Process, World } from './world.ts';

conformance('simulated', () => {
  const disk = new StoreDisk('the only history');
  return { open: () => new SimulatedStore(disk, () => Promise.resolve()), remove: () => undefined };
});

conformance('etcd, simulated', () => {
  const world = new World(1);
  const members = ['etcd-1', 'etcd-2', 'etcd-3'];
  const etcd = new SimulatedEtcd(world, new Network(world), members);
  let over = false;
  // Virtual time goes on beside the test: there is always something to come.
  const tick = (): void => { world.after(1000, tick); };
  tick();
  const running = world.run(Infinity, () => over);
  const credentials = (): never => { throw new Error('nothing is dialled in a simulation'); };
  return {
    open() {
      const process = new Process(world, 'controller');
      return EtcdStore.open({ endpoints: members, credentials, clock: process, newUuid: world.newUuid, connect: (address) => etcd.connect(process, address) });
    },
    async remove() {
      over = true;
      await running;
    },
  };
});
