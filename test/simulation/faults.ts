/** What goes wrong while clients work: one thing after the other, so close together that they overlap. */
import type { SimulatedAppliance } from './appliance.ts';
import type { SimulatedController } from './controller.ts';
import type { Network } from './network.ts';
import type { World } from './world.ts';

export interface Scene {
  readonly world: World;
  readonly network: Network;
  readonly controllers: readonly SimulatedController[];
  readonly appliances: readonly SimulatedAppliance[];
  readonly clients: readonly string[];
  /** Names of what controllers store in; none when each has a disk of its own. */
  readonly stores: readonly string[];
  /** Whether an appliance may lose what it acknowledged within the last moments. */
  readonly powerFails: boolean;
  /** The store's own faults. */
  readonly storeFault: () => void;
}

/** Every so many ms on average something goes wrong, until `until`. */
export function injectFaults(scene: Scene, everyMs: number, until: number): void {
  const { world } = scene;
  const next = (): void => {
    world.after(world.random.below(2 * everyMs), () => {
      if (world.elapsed >= until) return;
      fault(scene);
      next();
    });
  };
  next();
}

function fault({ world, network, controllers, appliances, clients, stores, powerFails, storeFault }: Scene): void {
  const { random } = world;
  const controller = random.pick(controllers);
  const appliance = random.pick(appliances);
  const soon = (): number => (random.chance(50) ? random.below(100) : random.below(3000));
  const long = (): number => random.pick([50, 300, 1000, 3000, 8000]) + random.below(100);
  switch (random.below(11)) {
    case 0: case 1: return network.cut(appliance.name, controller.name);
    case 2: return network.block(appliance.name, controller.name, long());
    case 3: return controller.crash(soon());
    case 4: return appliance.killAgent(soon());
    case 5: return appliance.killDataplane(soon());
    case 6: return powerFails ? appliance.losePower(soon()) : appliance.killAgent(soon());
    case 7: {
      const ms = long();
      world.trace(`${appliance.name}: the dataplane does nothing for ${ms} ms`);
      if (appliance.dataplane) appliance.dataplane.stalledUntil = world.now + ms;
      return;
    }
    case 8: {
      network.slowness = random.pick([2, 4, 40, 200]);
      return world.trace(`network: messages take up to ${network.slowness} ms`);
    }
    case 9: {
      if (stores.length === 0) return network.block(random.pick(clients), controller.name, long());
      // A controller is cut off: from some of what it stores in, or from all of it.
      const ms = long();
      for (const store of random.chance(50) ? stores : [random.pick(stores)]) network.block(controller.name, store, ms);
      return;
    }
    default: return storeFault();
  }
}
