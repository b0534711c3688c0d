/**
 * What routers told the last run of this controller, from its disk. Appliances forward by it, so the engine is compiled with it: the same
 * objects and the same paths make the state that appliances have, which then needs no version.
 */
import { join } from 'node:path';
import type { Path } from '../compile/types.ts';
import type { Objects } from '../model/objects.ts';
import { Imports, type TunnelPolicy } from './paths.ts';
import { ReceivedRoutes } from './received-routes.ts';
import { bgpSettings } from './settings.ts';
import type { ReceivedPath } from './types.ts';

export class LastRun {
  readonly received: ReceivedRoutes;
  readonly routes: readonly ReceivedPath[];
  readonly #controller: string;
  #imports: Imports | undefined;

  /** @param directory where routes are kept; @param stateId of the store; @param controller its own name */
  constructor(directory: string, stateId: string, controller: string) {
    this.received = new ReceivedRoutes(join(directory, 'received.db'), stateId);
    this.routes = this.received.all();
    this.#controller = controller;
  }

  /** The paths that these objects make of them, for `Engine.open`. */
  told(objects: Objects): readonly Path[] { return this.imports(bgpSettings(objects, this.#controller).policy).paths; }

  imports(policy: TunnelPolicy): Imports {
    const now = Date.now();
    if (this.#imports) {
      this.#imports.setPolicy(policy, now);
    } else {
      this.#imports = new Imports(policy);
      this.#imports.change(this.routes.map((after) => ({ before: undefined, after })), now);
    }
    return this.#imports;
  }
}
