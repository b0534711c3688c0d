/** The config service (proto/config.proto): transactions, reads, watches and views, by certificates of operators. */
import * as grpc from '@grpc/grpc-js';
import type * as wire from '../../../proto/config.ts';
import { rpcError, type Draft, type Handlers } from '../../../proto/load.ts';
import { requireRole } from '../../pki/credentials.ts';
import type { Engine } from '../engine.ts';
import { decodeObject } from '../model/codec.ts';
import { isKind, KINDS, virtualRouterName, type Kind, type Stored } from '../model/kinds.ts';
import { Refusal } from '../model/refusal.ts';
import { shown } from './shown.ts';
import type { SyncServer } from '../sync/server.ts';
import { awaitLive } from './await-live.ts';
import { refusalStatus } from './errors.ts';
import { applianceView, routesView } from './views.ts';

const [DEFAULT_PAGE, MAX_PAGE] = [1000, 10_000];
/** Events that are read from the history at once. */
const WATCH_PAGE = 500;
/** Bytes of objects in one page: route tables are big. */
const PAGE_BYTES = 4 * 1024 * 1024;

export function configHandlers(engine: Engine, sync: SyncServer): Handlers<wire.ConfigMethods> {
  const commit = async (operations: readonly wire.Operation[], dryRun: boolean): Promise<Draft<wire.CommitReply>> => {
    try {
      const { version, objects } = await engine.commit(operations, dryRun);
      return { version, objects: objects.map(shown) };
    } catch (error) {
      throw error instanceof Refusal ? refusalStatus(error) : error;
    }
  };
  const applianceOf = (name: string) => {
    const appliance = engine.compiler.appliances.get(name);
    if (!appliance) throw rpcError(grpc.status.NOT_FOUND, `there is no appliance ${JSON.stringify(name)} (virtual-router ${virtualRouterName(name)}); there are ${[...engine.compiler.appliances.keys()].slice(0, 20).join(', ') || 'none'}`);
    return appliance;
  };
  return {
    commit(request, call) {
      requireRole(call, 'operator');
      return commit(request.operations, request.dryRun);
    },
    delete(request, call) {
      requireRole(call, 'operator');
      return commit([{ delete: request }], false);
    },
    get({ kind, name, uuid }, call) {
      requireRole(call, 'operator');
      const object = uuid ? engine.objects.byUuid(uuid) : engine.objects.get(kindOf(kind), name);
      if (!object) throw rpcError(grpc.status.NOT_FOUND, `there is no ${uuid ? `object with uuid ${uuid}` : `${kind} ${name}`}`);
      return shown(object);
    },
    list(request, call) {
      requireRole(call, 'operator');
      return list(engine, request);
    },
    watch(request, call) {
      requireRole(call, 'operator');
      if (request.kind !== '') kindOf(request.kind);
      return watch(engine, request, call);
    },
    routes(request, call) {
      requireRole(call, 'operator');
      return routesView(engine.compiler, applianceOf(request.appliance), request);
    },
    appliances({ appliance }, call) {
      requireRole(call, 'operator');
      const wanted = appliance === '' ? [...engine.compiler.appliances.values()] : [applianceOf(appliance)];
      return { appliances: wanted.map((each) => applianceView(each, sync.presence(each.name))) };
    },
    awaitLive(request, call) {
      requireRole(call, 'operator');
      if (request.appliance !== '') applianceOf(request.appliance);
      return awaitLive(engine, sync, request, () => call.cancelled, (listener) => call.on('cancelled', listener));
    },
    resync({ appliance, force }, call) {
      requireRole(call, 'operator');
      sync.resync(applianceOf(appliance).name, force);
      return {};
    },
  };
}

function kindOf(text: string): Kind {
  if (!isKind(text)) throw rpcError(grpc.status.INVALID_ARGUMENT, `${JSON.stringify(text)} is no kind; kinds are ${Object.keys(KINDS).join(', ')}`);
  return text;
}

/** Objects in the order of kind and name; the token is the last one that was shown. */
function list(engine: Engine, request: wire.ListRequest): Draft<wire.ListReply> {
  const size = Math.min(request.pageSize || DEFAULT_PAGE, MAX_PAGE);
  const kinds = (request.kind === '' ? Object.keys(KINDS) as Kind[] : [kindOf(request.kind)]).sort();
  const objects: wire.Object[] = [];
  let [bytes, last] = [0, ''];
  for (const kind of kinds) {
    const names = [...engine.objects.all(kind)].filter(({ name }) => name.startsWith(request.prefix) && `${kind} ${name}` > request.pageToken).sort(byName);
    for (const object of names) {
      if (objects.length >= size || bytes >= PAGE_BYTES) return { objects, nextPageToken: last, version: engine.version };
      objects.push(shown(object));
      bytes += object.kind === 'route-table' ? object.spec.prefixes.length + object.spec.nextHopIndex.length : 0;
      last = `${kind} ${object.name}`;
    }
  }
  return { objects, nextPageToken: '', version: engine.version };
}

const byName = (one: Stored, other: Stored): number => (one.name < other.name ? -1 : 1);

/** History first, then each transaction as it commits. */
async function* watch(engine: Engine, { version, kind }: wire.WatchRequest, call: grpc.ServerWritableStream<wire.WatchRequest, Draft<wire.Event>>): AsyncGenerator<Draft<wire.Event>> {
  let wake = (): void => {};
  const listener = (): void => wake();
  engine.on('committed', listener);
  for (const event of ['cancelled', 'close'] as const) call.on(event, listener);
  try {
    for (let at = version; !call.cancelled;) {
      const changed = new Promise<void>((resolve) => { wake = resolve; });
      const rows = engine.store.history(at, WATCH_PAGE);
      if (!rows) throw rpcError(grpc.status.OUT_OF_RANGE, `version ${at} is not in the history any more (or not yet: now ${engine.version}); list, and watch from the list's version`);
      for (const row of rows) {
        at = row.version;
        if (kind !== '' && row.kind !== kind) continue;
        const object = shown(decodeObject(row.bytes));
        yield { version: row.version, deleted: row.deleted, object };
      }
      if (rows.length === 0) await changed;
    }
  } finally {
    engine.off('committed', listener);
  }
}

