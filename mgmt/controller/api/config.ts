/** The config service (proto/config.proto): transactions, reads, watches and views; who may do what is in access.ts. */
import * as grpc from '@grpc/grpc-js';
import type * as wire from '../../../proto/config.ts';
import { rpcError, type Draft, type Handlers } from '../../../proto/load.ts';
import type { Engine } from '../engine.ts';
import { decodeObject } from '../model/codec.ts';
import { idOf, isKind, KINDS, virtualRouterName, type Kind, type Stored } from '../model/kinds.ts';
import type { Objects } from '../model/objects.ts';
import { projectOfObject } from '../model/ownership.ts';
import { Refusal } from '../model/refusal.ts';
import type { SyncServer } from '../sync/server.ts';
import { callerOf, cloudAdmin, newToken, seesAll, type Caller } from './access.ts';
import { auditEntries, authorOf } from './audit.ts';
import { awaitLive } from './await-live.ts';
import { backup, restore } from './backup.ts';
import { committing } from './committing.ts';
import { refusalStatus } from './errors.ts';
import { planReply, readRecords } from './plan.ts';
import { shown } from './shown.ts';
import { StateReader } from './state.ts';
import { applianceView, routesView } from './views.ts';

const [DEFAULT_PAGE, MAX_PAGE] = [1000, 10_000];
/** Events that are read from the history at once. */
const WATCH_PAGE = 500;
/** Bytes of objects in one page: route tables are big. */
const PAGE_BYTES = 4 * 1024 * 1024;

export function configHandlers(engine: Engine, sync: SyncServer): Handlers<wire.ConfigMethods> {
  const { objects } = engine;
  const states = new StateReader(engine);
  const commit = async (operations: readonly wire.Operation[], caller: Caller, { dryRun = false, plan = false } = {}): Promise<Draft<wire.CommitReply>> => {
    try {
      if (dryRun && plan) return planReply(await engine.plan(operations, authorOf(caller), readRecords));
      const committed = await engine.commit(operations, dryRun, authorOf(caller));
      return { version: committed.version, objects: committed.objects.map(shown) };
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
      return commit(request.operations, callerOf(call, objects), request);
    },
    delete(request, call) {
      return commit([{ delete: request }], callerOf(call, objects));
    },
    get({ kind, name, uuid }, call) {
      const caller = callerOf(call, objects);
      const object = uuid ? objects.byUuid(uuid) : objects.get(kindOf(kind), name);
      // What a caller may not see is not there for it.
      if (!object || !caller.maySee(object, objects)) throw rpcError(grpc.status.NOT_FOUND, `there is no ${uuid ? `object with uuid ${uuid}` : `${kind} ${name}`}`);
      return shown(object);
    },
    list(request, call) {
      return list(engine, request, callerOf(call, objects));
    },
    watch(request, call) {
      const caller = callerOf(call, objects);
      if (request.kind !== '') kindOf(request.kind);
      return watch(engine, request, caller, call);
    },
    audit(request, call) {
      const caller = callerOf(call, objects);
      if (request.kind !== '') kindOf(request.kind);
      return auditEntries(engine, request, caller, call);
    },
    async createToken({ name, role, projects, expires }, call) {
      const caller = cloudAdmin(call, objects);
      const { token, sha256 } = newToken(name);
      const create = { name, uuid: '', version: 0, annotations: {}, accessToken: { role, projects, expires, sha256 }, spec: 'accessToken' as const };
      const { objects: made } = await commit([{ create, operation: 'create' }], caller);
      return { token, object: made?.[0] };
    },
    backup(_request, call) {
      cloudAdmin(call, objects);
      return backup(engine);
    },
    restore(call, callback) {
      const received: wire.Object[] = [];
      let caller: Caller;
      try {
        caller = cloudAdmin(call, objects);
      } catch (error) {
        callback(error as grpc.ServiceError);
        return;
      }
      call.on('data', (part: wire.BackupReply) => received.push(...part.objects));
      call.on('error', () => {});
      call.on('end', () => {
        restore(engine, received, authorOf(caller)).then(
          ({ version, objects: put }) => callback(null, { version, objects: put.map(shown) }),
          (error: unknown) => callback((error instanceof Refusal ? refusalStatus(error) : error) as grpc.ServiceError),
        );
      });
    },
    routes(request, call) {
      seesAll(call, objects);
      return routesView(engine.compiler, applianceOf(request.appliance), request);
    },
    appliances({ appliance }, call) {
      seesAll(call, objects);
      const wanted = appliance === '' ? [...engine.compiler.appliances.values()] : [applianceOf(appliance)];
      return { appliances: wanted.map((each) => applianceView(each, sync.presence(each.name))) };
    },
    state({ appliance }, call) {
      seesAll(call, objects);
      return states.updates(applianceOf(appliance).name, call);
    },
    awaitLive(request, call) {
      seesAll(call, objects);
      if (request.appliance !== '') applianceOf(request.appliance);
      return awaitLive(engine, sync, request, () => call.cancelled, (listener) => call.on('cancelled', listener));
    },
    resync({ appliance, force }, call) {
      cloudAdmin(call, objects);
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
function list(engine: Engine, request: wire.ListRequest, caller: Caller): Draft<wire.ListReply> {
  const size = Math.min(request.pageSize || DEFAULT_PAGE, MAX_PAGE);
  const kinds = (request.kind === '' ? Object.keys(KINDS) as Kind[] : [kindOf(request.kind)]).sort();
  const asked = filterOf(engine.objects, request);
  const objects: wire.Object[] = [];
  let [bytes, last] = [0, ''];
  for (const kind of kinds) {
    const named = [...engine.objects.all(kind)].filter((object) => object.name.startsWith(request.prefix) && `${kind} ${object.name}` > request.pageToken && asked(object) && caller.maySee(object, engine.objects)).sort(byName);
    for (const object of named) {
      if (objects.length >= size || bytes >= PAGE_BYTES) return { objects, nextPageToken: last, version: engine.version };
      objects.push(shown(object));
      bytes += object.kind === 'route-table' ? object.spec.prefixes.length + object.spec.nextHopIndex.length : 0;
      last = `${kind} ${object.name}`;
    }
  }
  return { objects, nextPageToken: '', version: engine.version };
}

const byName = (one: Stored, other: Stored): number => (one.name < other.name ? -1 : 1);

/** What a list is asked for beside kind and prefix. */
function filterOf(objects: Objects, { project, refersTo }: wire.ListRequest): (object: Stored) => boolean {
  const target = refersTo?.uuid ? objects.byUuid(refersTo.uuid) : refersTo && objects.get(kindOf(refersTo.kind), refersTo.name);
  if (refersTo && !target) throw rpcError(grpc.status.NOT_FOUND, `there is no ${refersTo.uuid ? `object with uuid ${refersTo.uuid}` : `${refersTo.kind} ${refersTo.name}`} that objects could refer to`);
  const users = target && objects.users(target.kind, target.name);
  return (object) => (project === '' || projectOfObject(object) === project) && (!users || users.has(idOf(object.kind, object.name)));
}

/** History first, then each transaction as it commits. */
async function* watch(engine: Engine, { version, kind }: wire.WatchRequest, caller: Caller, call: grpc.ServerWritableStream<wire.WatchRequest, Draft<wire.Event>>): AsyncGenerator<Draft<wire.Event>> {
  const commits = committing(engine, call);
  try {
    for (let at = version; !call.cancelled;) {
      const changed = commits.next();
      const rows = engine.store.history(at, WATCH_PAGE);
      if (!rows) throw rpcError(grpc.status.OUT_OF_RANGE, `version ${at} is not in the history any more (or not yet: now ${engine.version}); list, and watch from the list's version`);
      for (const row of rows) {
        at = row.version;
        if (kind !== '' && row.kind !== kind) continue;
        const object = decodeObject(row.bytes);
        if (caller.maySee(object, engine.objects)) yield { version: row.version, deleted: row.deleted, object: shown(object) };
      }
      if (rows.length === 0) await changed;
    }
  } finally {
    commits.end();
  }
}
