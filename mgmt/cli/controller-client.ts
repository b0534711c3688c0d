/** What the controller's verbs share: a client for the time of a command, and objects by name. */
import { status } from '@grpc/grpc-js';
import type { ConfigMethods, Object as ConfigObject } from '../../proto/config.ts';
import type { Client } from '../../proto/load.ts';
import { UsageError } from './output.ts';
import { openController, type GlobalOptions } from './target.ts';

export type Controller = Client<ConfigMethods>;

/** Runs with a client of the controller, and closes it. */
export async function withController(options: GlobalOptions, work: (controller: Controller) => Promise<void>): Promise<void> {
  const controller = openController(options);
  try {
    await work(controller);
  } finally {
    controller.close();
  }
}

export interface Filter { readonly kind?: string; readonly prefix?: string; readonly project?: string; readonly refersTo?: { readonly kind: string; readonly name: string } }

/** Every object that a filter lets pass (no kind: all kinds), page by page. */
export async function listAll(controller: Controller, filter: Filter): Promise<ConfigObject[]> {
  const objects: ConfigObject[] = [];
  for (let pageToken = ''; ;) {
    const page = await controller.list({ ...filter, pageToken });
    objects.push(...page.objects);
    pageToken = page.nextPageToken;
    if (pageToken === '') return objects;
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An object by its full name or its UUID, or by the end of its name when only one ends so. */
export async function find(controller: Controller, kind: string, name: string): Promise<ConfigObject> {
  const get = (reference: { kind: string; name?: string; uuid?: string }): Promise<ConfigObject | undefined> => controller.get(reference).catch((error: { code?: unknown }) => {
    if (error.code !== status.NOT_FOUND) throw error;
    return undefined;
  });
  const whole = await get({ kind, name }) ?? (UUID.test(name) ? await get({ kind, uuid: name }) : undefined);
  if (whole) return whole;
  const ending = (await listAll(controller, { kind })).filter((object) => object.name.endsWith(`:${name}`));
  if (ending.length === 1) return ending[0]!;
  throw new UsageError(ending.length ? `"${name}" is the end of several names: ${ending.map((object) => object.name).join(', ')}` : `no ${kind} "${name}"`);
}
