// The simulation's store keeps what every store must: else what is found with it would say nothing of the others.
import { conformance } from '../unit/controller/store-conformance.ts';
import { SimulatedStore, StoreDisk } from './store.ts';

conformance('simulated', () => {
  const disk = new StoreDisk('the only history');
  return { open: () => new SimulatedStore(disk, () => Promise.resolve()), remove: () => undefined };
});
