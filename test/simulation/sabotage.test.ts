// The simulation finds what it is there for: with an error built in on purpose, one of 200 seeds fails, and says so by the right invariant.
// limit: 600 s
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Numbering } from '../../mgmt/controller/routing/numbering.ts';
import { isShared } from '../../mgmt/controller/store/store.ts';
import { simulate, type Sabotage } from './simulation.ts';

const SEEDS = 200;

const ERRORS: Readonly<Record<string, { readonly sabotage: Sabotage; readonly found: RegExp }>> = {
  'a store that acknowledges before it has written': {
    sabotage: { storeDisk(disk, world) {
      const settle = disk.settle.bind(disk);
      disk.settle = (durable) => { world.after(durable ? 20 : 0, () => settle(durable)); };
    } },
    found: /was acknowledged/,
  },
  'a store that shares its versions without conditions': {
    sabotage: { etcd(etcd) { etcd.ignoresConditions = true; } },
    found: /became durable after/,
  },
  'state that leaves the controller before it is durable': {
    sabotage: { engine(engine) { Object.defineProperty(engine, 'settled', { value: true }); } },
    found: /right in no version|is not:|is at version|nobody has committed/,
  },
  'a delta that lacks the newest change after a reconnect': {
    sabotage: { engine({ store }) {
      const changesSince = store.changesSince.bind(store);
      store.changesSince = (appliance, version) => changesSince(appliance, version)?.slice(0, -1);
    } },
    found: /says that it is at version \d+, and (is not|has other names)|differs from a compile|refuses/,
  },
  'an update without the routes that changed': {
    sabotage: { engine(engine) {
      engine.prependListener('committed', ({ outcomes }) => { for (const { touched } of outcomes) touched.clearRoutes(); });
    } },
    found: /says that it is at version \d+, and is not|refuses/,
  },
  'a controller that passes over a commit of the other one': {
    sabotage: { engine({ store }) {
      if (!isShared(store)) return;
      const take = store.take.bind(store);
      let taken = 0;
      store.take = () => {
        const commit = take();
        return commit && ++taken % 5 === 0 ? take() : commit;
      };
    } },
    found: /and is not:|refuses|differs from a compile|right in no version/,
  },
  'a number that is given out again before its appliance has let go of it': {
    sabotage: { engine({ numbering }) { numbering.acknowledge = (appliance) => Numbering.prototype.acknowledge.call(numbering, appliance, Infinity); } },
    found: /in which it means|while .* holds it|refuses/,
  },
  'a resync that sweeps nothing': {
    sabotage: { live({ tables }) { tables.sweep = () => {}; } },
    found: /is not:\n {2}has/,
  },
  'an appliance that acknowledges what is not on its disk': {
    sabotage: { stateDisk(disk) {
      const append = disk.append.bind(disk);
      let appended = 0;
      disk.append = (bytes, at) => { if (++appended % 7 !== 0) append(bytes, at); };
    } },
    found: /and is not:|differs from a compile|starts at version|refuses|right in no version/,
  },
};

for (const [name, { sabotage, found }] of Object.entries(ERRORS)) {
  test(`found: ${name}`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const error = await simulate(seed, { sabotage }).then(() => undefined, (each: unknown) => each as Error);
      if (!error) continue;
      assert.ok(found.test(error.message), `found by another invariant: ${error.message}`);
      console.log(`${name}: ${error.message.split('\n')[0]}`);
      return;
    }
    assert.unreachable(`${SEEDS} seeds did not find it`);
  });
}

test.run();
