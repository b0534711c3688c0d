/**
 * One session: a controller's stream joined to the dataplane's Apply stream. Messages pass unopened in the controller's order,
 * at most WINDOW_* of them unacknowledged; acknowledgements pass back. Nothing survives a session: the next one begins
 * with what the dataplane says it holds.
 */
import { Dataplane, type ApplyReply } from '../../proto/dataplane.ts';
import { definitionOf } from '../../proto/load.ts';
import { Sync, type Ack, type ApplianceMessage, type ControllerMessage, type Hello, type Status, type Update, type Welcome } from '../../proto/sync.ts';
import type { Draft } from '../../proto/load.ts';
import { SYSTEM_CLOCK, type Clock } from '../clock.ts';
import type { RawStream } from './transport.ts';
import { fieldsOf, oneofOf, renumber, type Field } from './wire.ts';

/** Passed on and not yet acknowledged, at most (at least one message, however large). */
export const WINDOW_MESSAGES = 64;
export const WINDOW_BYTES = 8 * 1024 * 1024;
/** The controller must greet within this time; the dataplane must finish what it was given, after the controller is gone. */
const WELCOME_MS = 5000;
const FINISH_MS = 10_000;

/** Field numbers of ControllerMessage and ApplyRequest. */
const WELCOME = 1;
const BEGIN_RESYNC = 2;
const UPDATE = 3;
const END_RESYNC = 4;
const PASSED_AS: Readonly<Record<number, number>> = { [BEGIN_RESYNC]: 1, [UPDATE]: 2, [END_RESYNC]: 3 };
/** ApplyReply.ack, and the same in ApplianceMessage. */
const REPLY_ACK = 1;
const APPLIANCE_ACK = 2;

/** What the rest of the agent hears of a session. Throwing ends it. */
export interface Listener {
  welcomed(welcome: Welcome): void;
  resyncBegun(): void;
  /** After the Ack was passed back; `update` opens the message that it is about (null: an EndResync). */
  acknowledged(ack: Ack, update: (() => Update) | null): void;
}

interface InFlight { nonce: number; bytes: number; update: Buffer | null }

export class Session {
  readonly #controller: RawStream;
  readonly #openApply: () => RawStream;
  readonly #hello: Hello;
  readonly #listener: Listener;
  readonly #ended = Promise.withResolvers<string>();
  #apply: RawStream | undefined;
  #inFlight: InFlight[] = [];
  #inFlightBytes = 0;
  #reason = '';
  #applyOver = false;
  readonly #clock: Clock;
  readonly #noGreeting: () => void;
  #noFinishing = (): void => {};

  /** Totals of what was passed on, for the operator. */
  messages = 0;
  bytes = 0;
  resync = false;

  /** Sends `hello` on `controller`; `openApply` is called once the controller has greeted. */
  constructor(controller: RawStream, openApply: () => RawStream, hello: Hello, listener: Listener, clock: Clock = SYSTEM_CLOCK) {
    this.#controller = controller;
    this.#openApply = openApply;
    this.#hello = hello;
    this.#listener = listener;
    this.#clock = clock;
    this.#noGreeting = clock.after(WELCOME_MS, () => this.end(`the controller did not greet within ${WELCOME_MS / 1000} s`));
    controller.on('data', (bytes: Buffer) => this.#guard(() => this.#fromController(bytes)));
    controller.on('drain', () => this.#apply?.resume());
    controller.on('error', (error) => this.end(`controller: ${error.message}`));
    controller.on('end', () => this.end('the controller ended the stream'));
    this.#send({ hello });
  }

  get inFlight(): number { return this.#inFlight.length; }

  /** Resolves with the reason when both streams are over; what was passed on by then is live or dropped for good. */
  get ended(): Promise<string> { return this.#ended.promise; }

  /** Tells the controller; at most once a second, the caller sees to that. Dropped while the controller does not read. */
  status(status: Draft<Status>): boolean {
    if (this.#apply === undefined || this.#reason !== '' || this.#controller.writableNeedDrain) return false;
    this.#send({ status });
    return true;
  }

  /** Ends the session. The dataplane finishes what was passed on, so that its next GetState tells the whole truth. */
  end(reason: string, finishMs = FINISH_MS): void {
    if (this.#reason !== '') return;
    this.#reason = reason;
    this.#noGreeting();
    this.#controller.cancel();
    if (!this.#apply || this.#applyOver) {
      this.#ended.resolve(reason);
      return;
    }
    this.#noFinishing = this.#clock.after(finishMs, () => this.#apply?.cancel());
    this.#apply.resume();
    this.#apply.end();
  }

  #applyEnded(reason: string): void {
    this.#applyOver = true;
    this.#noFinishing();
    this.end(reason);
    this.#ended.resolve(this.#reason);
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.end((error as Error).message);
    }
  }

  #send(message: Draft<ApplianceMessage>): void {
    this.#controller.write(definitionOf(Sync)['stream']!.requestSerialize(message));
  }

  // ---- controller → dataplane ------------------------------------------------------------------------------------------
  #fromController(bytes: Buffer): void {
    if (this.#reason !== '') return;
    const field = oneofOf(bytes, [WELCOME, BEGIN_RESYNC, UPDATE, END_RESYNC]);
    if (!field) return; // of a later version of the protocol: nothing in it for us
    if (field.number === WELCOME) {
      const { welcome } = definitionOf(Sync)['stream']!.responseDeserialize(bytes) as ControllerMessage;
      this.#welcomed(welcome!);
      return;
    }
    if (!this.#apply) throw new Error(`the controller sent ${nameOf(field)} before its Welcome`);
    this.#passOn(bytes, field, this.#apply);
  }

  #welcomed(welcome: Welcome): void {
    if (this.#apply) throw new Error('the controller sent a second Welcome');
    if (welcome.stateId === '') throw new Error('the controller sent a Welcome without state_id');
    const another = welcome.stateId !== this.#hello.stateId;
    if (another && !welcome.resync) throw new Error(`the controller is at the history ${welcome.stateId}, which is not ours (${this.#hello.stateId || 'none'}), and does not resync`);
    this.#noGreeting();
    this.#apply = this.#openApply();
    this.#apply.on('data', (bytes: Buffer) => this.#guard(() => this.#fromDataplane(bytes)));
    this.#apply.on('drain', () => this.#flow());
    this.#apply.on('error', (error) => this.#applyEnded(`dataplane: ${error.message}`));
    this.#apply.on('end', () => this.#applyEnded('the dataplane ended the stream'));
    this.#listener.welcomed(welcome);
    if (another) this.#apply.write(definitionOf(Dataplane)['apply']!.requestSerialize({ stateId: welcome.stateId }));
  }

  #passOn(bytes: Buffer, field: Field, apply: RawStream): void {
    const body = bytes.subarray(field.body, field.end);
    if (field.number === BEGIN_RESYNC) {
      this.resync = true;
      this.#listener.resyncBegun();
    } else {
      // Update.nonce and EndResync.nonce are both field 1.
      this.#inFlight.push({ nonce: varintOf(body, 1), bytes: bytes.length, update: field.number === UPDATE ? body : null });
      this.#inFlightBytes += bytes.length;
    }
    this.messages++;
    this.bytes += bytes.length;
    apply.write(renumber(bytes, field, PASSED_AS[field.number]!));
    this.#flow();
  }

  /** Reads on from the controller exactly while the dataplane keeps up. */
  #flow(): void {
    const full = this.#inFlight.length >= WINDOW_MESSAGES || this.#inFlightBytes >= WINDOW_BYTES;
    if (full || this.#apply?.writableNeedDrain) this.#controller.pause();
    else if (this.#controller.isPaused()) this.#controller.resume();
  }

  // ---- dataplane → controller ------------------------------------------------------------------------------------------
  #fromDataplane(bytes: Buffer): void {
    const field = oneofOf(bytes, [REPLY_ACK]);
    if (!field) return;
    const ack = (definitionOf(Dataplane)['apply']!.responseDeserialize(bytes) as ApplyReply).ack!;
    const about = this.#inFlight.shift();
    if (about?.nonce !== ack.nonce) throw new Error(`the dataplane acknowledged nonce ${ack.nonce}, ${about ? `but ${about.nonce} is next` : 'but nothing is outstanding'}`);
    this.#inFlightBytes -= about.bytes;
    const inSession = this.#reason === '';
    if (inSession && !this.#controller.write(renumber(bytes, field, APPLIANCE_ACK))) this.#apply?.pause();
    const { update } = about;
    if (!update) this.resync = false;
    this.#listener.acknowledged(ack, update && (() => openUpdate(update)));
    if (inSession) this.#flow();
  }
}

function nameOf(field: Field): string {
  return field.number === BEGIN_RESYNC ? 'BeginResync' : field.number === UPDATE ? 'an Update' : 'EndResync';
}

/** Value of a varint field of a message, 0 where it is left out. */
function varintOf(bytes: Buffer, number: number): number {
  for (const field of fieldsOf(bytes)) {
    if (field.number === number && field.type === 0) return field.value;
  }
  return 0;
}

/** The Update whose own bytes these are: as the update of an ApplyRequest, for the codec at hand. */
function openUpdate(body: Buffer): Update {
  const length: number[] = [];
  for (let rest = body.length; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) { length.push(rest); break; }
    length.push((rest % 128) | 0x80);
  }
  const request = definitionOf(Dataplane)['apply']!.requestDeserialize(Buffer.concat([Buffer.of((2 << 3) | 2, ...length), body])) as { update: Update };
  return request.update;
}
