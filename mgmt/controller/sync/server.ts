/**
 * The sync service (proto/sync.proto): admits appliances, gives each a session, and tells sessions what transactions changed.
 * Remembers what it knew of appliances that are away.
 */
import { EventEmitter } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { LAYOUT_VERSION } from '../../../wasm-core/layout.ts';
import { rpcError, type Draft, type Handlers } from '../../../proto/load.ts';
import type { ApplianceMessage, ControllerMessage, Hello, Status, SyncMethods } from '../../../proto/sync.ts';
import { SYSTEM_CLOCK, type Clock } from '../../clock.ts';
import { requireRole } from '../../pki/credentials.ts';
import type { Engine } from '../engine.ts';
import { applianceName, virtualRouterName, type Stored } from '../model/kinds.ts';
import { isShared } from '../store/store.ts';
import { notEnrolled } from './enrolment.ts';
import { Session, type Opening, type SessionSizes } from './session.ts';

/** First wait after an appliance refused a whole message; doubled up to the last. */
const [FIRST_RETRY_MS, LAST_RETRY_MS] = [1000, 60_000];
/** An appliance says who it is at once: a stream that says nothing for so long is none. */
const HELLO_MS = 10_000;

const OUT_OF_CONTACT = 'the controller has no contact with its store: try another one, or again';

type Call = grpc.ServerDuplexStream<ApplianceMessage, Draft<ControllerMessage>>;

/** What a simulation replaces: time, and sizes. */
export interface SyncOptions { readonly clock?: Clock; readonly sizes?: SessionSizes }

/** What is known of an appliance, in session or not. */
export interface Presence {
  readonly name: string;
  session: Session | undefined;
  hello: Hello | undefined;
  status: Status | undefined;
  peer: string;
  /** Of its certificate. */
  fingerprint: string;
  since: Date;
  /** Last version that it said was live. */
  live: number;
  problem: string;
  /** An operator allowed it to be emptied. */
  adopt: boolean;
  retryMs: number;
  end: ((status: Partial<grpc.StatusObject>) => void) | undefined;
}

/** "moved": a version became live at the appliance, or it came, left, or is no more. */
export class SyncServer extends EventEmitter<{ moved: [appliance: string] }> {
  readonly #engine: Engine;
  readonly #name: string;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #sizes: SessionSizes | undefined;
  readonly #presence = new Map<string, Presence>();
  /** How to end streams that wait to be admitted. */
  readonly #waiting = new Set<(status: Partial<grpc.StatusObject>) => void>();

  /** @param name of the controller, as it introduces itself. */
  constructor(engine: Engine, name: string, log: Logger, { clock = SYSTEM_CLOCK, sizes }: SyncOptions = {}) {
    super();
    this.setMaxListeners(0); // one for each call that waits
    this.#clock = clock;
    this.#sizes = sizes;
    this.#engine = engine;
    this.#name = name;
    this.#log = log.child({ part: 'sync' });
    engine.on('committed', ({ changes, outcomes }) => {
      for (const { after } of changes) if (after?.kind === 'virtual-router') this.#reconsider(after);
      for (const { appliance, touched, gone } of outcomes) {
        if (gone) this.#dismiss(appliance.name);
        else this.#presence.get(appliance.name)?.session?.changed(touched);
      }
    });
    const { store } = engine;
    if (isShared(store)) {
      // What this one knows may be out of date from now on: appliances look for a controller that knows better, and keep what they have.
      store.on('contact', () => { if (!store.inContact) this.#end(OUT_OF_CONTACT); });
    }
    // Sessions that had to wait for the store go on.
    engine.on('settled', () => { for (const { session } of this.#presence.values()) session?.pump(); });
  }

  readonly handlers: Handlers<SyncMethods> = { stream: (call) => this.#accept(call) };

  presence(name: string): Presence | undefined { return this.#presence.get(name); }

  /** Sends everything again. With force, more may be swept than the appliance's guard allows, and another history's state goes. */
  resync(name: string, force: boolean): void {
    const presence = this.#know(name);
    if (force) presence.adopt = true;
    presence.session?.resync(force);
  }

  /** Ends all sessions: appliances then look for a controller again. */
  close(): void { this.#end('the controller is shutting down'); }

  #end(details: string): void {
    for (const { end } of this.#presence.values()) end?.({ code: grpc.status.UNAVAILABLE, details });
    for (const end of this.#waiting) end({ code: grpc.status.UNAVAILABLE, details });
  }

  #know(name: string): Presence {
    let presence = this.#presence.get(name);
    if (!presence) {
      presence = { name, session: undefined, hello: undefined, status: undefined, peer: '', fingerprint: '', since: new Date(this.#clock.now()), live: 0, problem: '', adopt: false, retryMs: FIRST_RETRY_MS, end: undefined };
      this.#presence.set(name, presence);
    }
    return presence;
  }

  #accept(call: Call): void {
    const fail = (status: Partial<grpc.StatusObject>): void => { call.emit('error', status); };
    let presence: Presence | undefined;
    const spoken = this.#clock.after(HELLO_MS, () => fail({ code: grpc.status.INVALID_ARGUMENT, details: `the first message must be Hello, within ${HELLO_MS / 1000} s` }), true);
    const take = (message: ApplianceMessage): void => {
      try {
        if (!presence) presence = this.#admit(call, message, fail);
        else this.#take(presence, message);
      } catch (error) {
        const { code, details, message: text } = error as { code?: number; details?: string; message: string };
        this.#log.warn({ appliance: presence?.name ?? message.hello?.name, peer: call.getPeer() }, details ?? text);
        fail({ code: code ?? grpc.status.INVALID_ARGUMENT, details: details ?? text });
        if (presence) this.#leave(presence, fail);
      }
    };
    call.on('data', (message: ApplianceMessage) => {
      spoken();
      if (presence) return take(message);
      // The appliance may hold parts of what another controller has made only now: judged by less, it would be led back. Nor is it judged by
      // more: by objects that are not durable.
      call.pause();
      this.#waiting.add(fail);
      this.#engine.catchUp().then(() => this.#engine.whenSettled(() => {
        if (!this.#waiting.delete(fail)) return;
        take(message);
        call.resume();
      })).catch(() => {
        if (this.#waiting.delete(fail)) fail({ code: grpc.status.UNAVAILABLE, details: OUT_OF_CONTACT });
      });
    });
    call.on('drain', () => presence?.session?.drained());
    const left = (): void => {
      spoken();
      this.#waiting.delete(fail);
      if (presence) this.#leave(presence, fail);
    };
    for (const event of ['end', 'cancelled', 'close', 'error'] as const) call.on(event, left);
    call.on('end', () => call.end());
  }

  /** First message: who is it, and what does it hold? */
  #admit(call: Call, { hello }: ApplianceMessage, fail: (status: Partial<grpc.StatusObject>) => void): Presence {
    const { name } = requireRole(call, 'appliance');
    if (!hello) throw rpcError(grpc.status.INVALID_ARGUMENT, 'the first message must be Hello');
    if (hello.name !== name) throw rpcError(grpc.status.PERMISSION_DENIED, `the certificate is of "${name}", which may not sync as "${hello.name}"`);
    const { store } = this.#engine;
    if (isShared(store) && !store.inContact) throw rpcError(grpc.status.UNAVAILABLE, OUT_OF_CONTACT);
    const presence = this.#know(name);
    const refuse = (details: string): never => {
      presence.problem = details;
      throw rpcError(grpc.status.FAILED_PRECONDITION, details);
    };
    const router = this.#engine.objects.get('virtual-router', virtualRouterName(name));
    if (!router) return refuse(`there is no virtual-router ${virtualRouterName(name)}; create it`);
    presence.fingerprint = call.getAuthContext().sslPeerCertificate?.fingerprint256 ?? '';
    const why = notEnrolled(router, presence.fingerprint);
    if (why) return refuse(why);
    const kind = router.spec.kind.toLowerCase();
    if (hello.kind !== kind) return refuse(`${name} is a ${hello.kind} by its profile, but a ${kind} by its virtual-router; change one of them`);
    if (hello.layoutVersion !== LAYOUT_VERSION) return refuse(`${name} has memory layout ${hello.layoutVersion}, this controller packs records for ${LAYOUT_VERSION}; update the older of the two`);
    const opening = this.#opening(presence, hello);

    presence.end?.({ code: grpc.status.ABORTED, details: 'another stream of this appliance took over' });
    Object.assign(presence, { hello, peer: call.getPeer(), since: new Date(this.#clock.now()), problem: '', adopt: false, end: fail, status: undefined });
    call.write({ welcome: { controller: this.#name, stateId: this.#engine.store.stateId, resync: opening.kind === 'resync' } });
    this.#log.info({ appliance: name, peer: presence.peer, version: hello.version, opening: opening.kind }, 'in session');
    presence.session = new Session({
      state: () => this.#engine.compiler.appliances.get(name),
      settled: () => this.#engine.settled,
      live: (version) => {
        presence.live = version;
        presence.retryMs = FIRST_RETRY_MS;
        this.#engine.numbering.acknowledge(name, version);
        this.emit('moved', name);
      },
      write: (message) => call.write(message),
      retryLater: () => this.#retry(presence),
    }, opening, this.#sizes);
    this.emit('moved', name); // by what it said that it holds
    return presence;
  }

  /** How to bring an appliance up to date from what it says that it holds. */
  #opening(presence: Presence, hello: Hello): Opening {
    const { store, numbering } = this.#engine;
    const { name } = presence;
    const empty = hello.stateId === '';
    const foreign = !empty && (hello.stateId !== store.stateId || hello.version > store.version);
    if (foreign && !presence.adopt && hello.stateId === store.stateId && isShared(store)) {
      throw rpcError(grpc.status.UNAVAILABLE, `${name} holds version ${hello.version} from another controller, this one knows ${store.version} and catches up: try again, or another one`);
    }
    if (foreign && !presence.adopt) {
      presence.problem = `${name} holds version ${hello.version} of another history (${hello.stateId}), not of this controller's (${store.stateId} at ${store.version}), and forwards by it; `
        + 'to empty it and give it this controller\'s state, resync it with force';
      throw rpcError(grpc.status.FAILED_PRECONDITION, presence.problem);
    }
    if (foreign) return { kind: 'resync', force: true, sweepFirst: true };
    presence.live = hello.version;
    numbering.acknowledge(name, hello.version);
    const keys = hello.version > 0 ? this.#engine.changesSince(name, hello.version) : undefined;
    if (keys) return { kind: 'delta', version: hello.version, keys };
    // Its history is this one's, so whatever a sweep removes was removed here.
    return { kind: 'resync', force: !empty, sweepFirst: false };
  }

  #take(presence: Presence, message: ApplianceMessage): void {
    if (message.ack) presence.session?.acknowledged(message.ack);
    else if (message.status) presence.status = message.status;
    else throw rpcError(grpc.status.INVALID_ARGUMENT, message.hello ? 'Hello comes once' : 'a message is hello, ack or status');
  }

  #retry(presence: Presence): void {
    const { session } = presence;
    this.#log.warn({ appliance: presence.name, inMs: presence.retryMs }, `refused: ${session?.problem ?? ''}`);
    this.#clock.after(presence.retryMs, () => { if (session && presence.session === session) session.resync(false); }, true);
    presence.retryMs = Math.min(presence.retryMs * 2, LAST_RETRY_MS);
  }

  #leave(presence: Presence, end: Presence['end']): void {
    if (presence.end !== end) return;
    presence.session?.close();
    this.#log.info({ appliance: presence.name, live: presence.live }, 'left');
    Object.assign(presence, { session: undefined, end: undefined, since: new Date(this.#clock.now()) });
    this.emit('moved', presence.name);
  }

  /** A change of its enrolment may end a session. */
  #reconsider(router: Stored<'virtual-router'>): void {
    const presence = this.#presence.get(applianceName(router.name));
    const why = presence?.session && notEnrolled(router, presence.fingerprint);
    if (!presence || !why) return;
    presence.problem = why;
    presence.end?.({ code: grpc.status.FAILED_PRECONDITION, details: why });
  }

  #dismiss(name: string): void {
    this.#presence.get(name)?.end?.({ code: grpc.status.FAILED_PRECONDITION, details: `virtual-router ${virtualRouterName(name)} was deleted` });
    this.#presence.delete(name);
    this.emit('moved', name);
  }
}
