/** The controller as a walk asks it: each answer is kept for the time of a command. */
import { status } from '@grpc/grpc-js';
import type { Appliance, ConfigMethods, Object as ConfigObject, Route, RoutesReply } from '../../proto/config.ts';
import type { Client } from '../../proto/load.ts';
import type { RoutingMethods, VrfPath, VrfRoutesReply } from '../../proto/routing.ts';
import type { Update } from '../../proto/sync.ts';
import type { Filter, Source } from '../trace/source.ts';
import { listAll } from './controller-client.ts';

export class ControllerSource implements Source {
  readonly #config: Client<ConfigMethods>;
  readonly #routing: Client<RoutingMethods>;
  readonly #known = new Map<string, Promise<unknown>>();

  constructor(config: Client<ConfigMethods>, routing: Client<RoutingMethods>) {
    this.#config = config;
    this.#routing = routing;
  }

  get(kind: string, name: string): Promise<ConfigObject | undefined> {
    return this.#once(`get ${kind} ${name}`, () => unlessMissing(this.#config.get({ kind, name })));
  }

  list(kind: string, filter: Filter = {}): Promise<readonly ConfigObject[]> {
    return this.#once(`list ${kind} ${JSON.stringify(filter)}`, () => listAll(this.#config, { kind, ...filter }));
  }

  appliances(): Promise<readonly Appliance[]> {
    return this.#once('appliances', async () => (await this.#config.appliances({})).appliances);
  }

  route(appliance: string, vrf: string, prefix: string): Promise<Route | undefined> {
    return this.#once(`route ${appliance} ${vrf} ${prefix}`, async () => {
      for await (const { routes } of this.#config.routes({ appliance, vrf, prefix }) as AsyncIterable<RoutesReply>) if (routes[0]) return routes[0];
      return undefined;
    });
  }

  paths(vrf: string, address: string): Promise<readonly VrfPath[]> {
    return this.#once(`paths ${vrf} ${address}`, async () => {
      const all: VrfPath[] = [];
      for await (const { routes } of this.#routing.vrfRoutes({ vrf, prefix: address }) as AsyncIterable<VrfRoutesReply>) all.push(...routes.flatMap(({ paths }) => paths));
      return all;
    });
  }

  state(appliance: string): AsyncIterable<Update> { return this.#config.state({ appliance }); }

  #once<T>(key: string, ask: () => Promise<T>): Promise<T> {
    let known = this.#known.get(key) as Promise<T> | undefined;
    if (!known) this.#known.set(key, known = ask());
    return known;
  }
}

const unlessMissing = <T>(answer: Promise<T>): Promise<T | undefined> => answer.catch((error: { code?: unknown }) => {
  if (error.code !== status.NOT_FOUND) throw error;
  return undefined;
});
