/** GoBGP's API in our words: the only file that speaks it. One object per life of the process. */
import { randomBytes } from 'node:crypto';
import { credentials, type ClientWritableStream } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { createClient, unixAddress, type Client, type Draft } from '../../../proto/load.ts';
import { GobgpApi, type AddPathStreamRequest, type Family as WireFamily, type GobgpApiMethods, type Path, type Peer } from '../../../proto/gobgp.ts';
import { formatAddress, parseAddress } from '../model/address.ts';
import type { BmpMessage } from './bmp.ts';
import type { MonitoringPort } from './monitoring-port.ts';
import { decodeUpdate, type DecodedPath } from './update.ts';
import { FAMILIES, type Family, type PeerSettings, type PeerStatus, type Speaker, type VpnKey, type VpnPath } from './types.ts';
import { encodeAttributes, encodeMembership, encodeMembershipAttributes, encodeNlri } from './wire.ts';

/** Paths of one message: far below what a message may hold, and enough that messages cost nothing beside paths. */
const PATHS_PER_MESSAGE = 500;
const CALL_MS = 10_000;
/** GoBGP tries no faster. */
const CONNECT_RETRY = 5;
const IDLE_AFTER_RESET = 1;
/** A peer that does not come back must not keep our routes from the others for longer (RFC 4724's Selection_Deferral_Timer). */
const DEFERRAL = 10;
/** The engine's ping policy is Go's, which hangs up on who asks often; a unix socket needs no pings. */
const CHANNEL = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1, 'grpc.keepalive_time_ms': 2 ** 31 - 1 };

const STATES: Readonly<Record<string, PeerStatus['state']>> = { IDLE: 'idle', CONNECT: 'connect', ACTIVE: 'active', OPENSENT: 'open-sent', OPENCONFIRM: 'open-confirm', ESTABLISHED: 'established' };

/** A route target that the engine shall say we want, or no longer (RFC 4684). */
export interface Membership { readonly target: string; readonly wanted: boolean }

export interface Watch {
  readonly received: (paths: readonly DecodedPath[]) => void;
  /** A session came up or went down, after and before what it told. */
  readonly session: (peer: number, up: boolean) => void;
}

export class Gobgp {
  readonly #client: Client<GobgpApiMethods>;
  readonly #log: Logger;
  #stopReports = (): void => {};

  constructor(socket: string, log: Logger) {
    this.#client = createClient(GobgpApi, unixAddress(socket), credentials.createInsecure(), CHANNEL);
    this.#log = log;
  }

  /** Answers as soon as the process listens; rejects when it does not within `milliseconds`. */
  async answers(milliseconds: number): Promise<void> {
    await this.#client.getBgp({}, { deadline: Date.now() + milliseconds });
  }

  async start({ asn, routerId, port, addresses }: Speaker): Promise<void> {
    await this.#client.startBgp({ global: { asn, routerId: formatAddress(routerId), listenPort: port, listenAddresses: addresses.map(formatAddress) } }, deadline());
  }

  /** @param restarting our routes were there before, and forwarding went on: the peer keeps them until we have said all. */
  async addPeer(peer: PeerSettings, restarting: boolean): Promise<void> {
    await this.#client.addPeer({ peer: peerMessage(peer, restarting) }, deadline());
  }

  async deletePeer(address: number): Promise<void> {
    await this.#client.deletePeer({ address: formatAddress(address) }, deadline());
  }

  async peers(): Promise<PeerStatus[]> {
    const found: PeerStatus[] = [];
    for await (const { peer } of this.#client.listPeer({}, deadline()) as AsyncIterable<{ peer: Peer | null }>) if (peer) found.push(statusOf(peer));
    return found;
  }

  /** Enters and withdraws routes. When it resolves the engine has them all; when it rejects it may have some. */
  async write(announce: readonly VpnPath[], withdraw: readonly VpnKey[]): Promise<void> {
    await this.#upload([...withdraw.map(withdrawal), ...announce.map(announcement)]);
  }

  async writeMemberships(asn: number, nextHop: number, memberships: readonly Membership[]): Promise<void> {
    await this.#upload(memberships.map(({ target, wanted }) =>
      ({ family: FAMILIES['route-target'], isWithdraw: !wanted, nlriBinary: encodeMembership(asn, target), pattrsBinary: encodeMembershipAttributes(nextHop) })));
  }

  async #upload(paths: readonly Draft<Path>[]): Promise<void> {
    if (paths.length === 0) return;
    const { requests, reply } = this.#client.addPathStream();
    let failed = false;
    reply.catch(() => { failed = true; });
    for (let at = 0; at < paths.length && !failed; at += PATHS_PER_MESSAGE) {
      await written(requests, { tableType: 'GLOBAL', paths: paths.slice(at, at + PATHS_PER_MESSAGE) });
    }
    requests.end();
    await reply;
  }

  /**
   * From now on. To be called before there are peers: of what was there before it tells, it later withdraws nothing.
   *
   * What peers told is reported as it came: the engine's other ways tell every route in a message of its own, some of them beside all
   * others of the UPDATE that it came in, and what it writes after its policies costs it twice as much.
   *
   * @param broken the engine is gone.
   * @throws when its reports do not reach us.
   */
  async watch(port: MonitoringPort, { asn, routerId }: Speaker, { received, session }: Watch, broken: (why: string) => void): Promise<void> {
    const own = { asn, routerId };
    const heard = (messages: readonly BmpMessage[]): void => {
      const now = Date.now();
      // Those that arrived together are told together.
      let arrived: DecodedPath[] = [];
      for (const message of messages) {
        if (message.kind === 'update') for (const path of this.#decoded(message, own, now)) arrived.push(path);
        if (message.kind !== 'session') continue;
        if (arrived.length > 0) received(arrived);
        arrived = [];
        session(message.peer, message.up);
      }
      if (arrived.length > 0) received(arrived);
    };
    const systemName = randomBytes(16).toString('hex');
    const calls = port.expect(systemName, { heard, broken }, CALL_MS);
    await Promise.all([this.#client.addBmp({ address: port.address.host, port: port.address.port, policy: 'PRE', sysName: systemName }, deadline()), calls]);
    this.#stopReports = await calls;
  }

  /** Nothing of what cannot be read: that is a fault of ours or the engine's, and must not end the session with everyone else. */
  #decoded({ peer, fourByteAs, update }: BmpMessage & { kind: 'update' }, own: Pick<Speaker, 'asn' | 'routerId'>, now: number): readonly DecodedPath[] {
    try {
      return decodeUpdate(update, { peer, fourByteAs, own, now });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#log.error({ err: error, peer: formatAddress(peer), update: update.toString('hex') }, 'an UPDATE that the engine took cannot be read');
      return [];
    }
  }

  close(): void {
    this.#stopReports();
    this.#client.close();
    this.#log.debug('engine API closed');
  }
}

const deadline = (): { deadline: number } => ({ deadline: Date.now() + CALL_MS });

/** Resolves when the stream takes more, or will take none (then its reply says why). */
function written(requests: ClientWritableStream<Draft<AddPathStreamRequest>>, message: Draft<AddPathStreamRequest>): Promise<void> {
  return new Promise((resolve) => {
    if (requests.write(message)) return resolve();
    const done = (): void => {
      for (const event of ['drain', 'close', 'error', 'finish']) requests.off(event, done);
      resolve();
    };
    for (const event of ['drain', 'close', 'error', 'finish']) requests.once(event, done);
  });
}

const announcement = (path: VpnPath): Draft<Path> =>
  ({ family: FAMILIES[path.family], nlriBinary: encodeNlri(path, path.label), pattrsBinary: encodeAttributes(path) });

const withdrawal = (key: VpnKey): Draft<Path> => ({ family: FAMILIES[key.family], isWithdraw: true, nlriBinary: encodeNlri(key) });

function peerMessage(peer: PeerSettings, restarting: boolean): Draft<Peer> {
  const { address, port, asn, families, holdTime, password, localAddress, client, multihop, restartTime } = peer;
  const graceful = restartTime > 0;
  return {
    conf: { neighborAddress: formatAddress(address), peerAsn: asn, authPassword: password },
    timers: { config: { connectRetry: CONNECT_RETRY, holdTime, keepaliveInterval: Math.floor(holdTime / 3), idleHoldTimeAfterReset: IDLE_AFTER_RESET } },
    transport: { remotePort: port, ...(localAddress !== 0 ? { localAddress: formatAddress(localAddress) } : {}) },
    ...(client ? { routeReflector: { routeReflectorClient: true } } : {}),
    ...(multihop > 0 ? { ebgpMultihop: { enabled: true, multihopTtl: multihop } } : {}),
    ...(graceful ? { gracefulRestart: { enabled: true, restartTime, deferralTime: DEFERRAL, localRestarting: restarting } } : {}),
    // Only what is negotiated by all that restart gracefully may be in it, else the engine waits for an End-of-RIB that never comes.
    afiSafis: families.map((family) => ({
      config: { family: FAMILIES[family], enabled: true },
      ...(graceful && family === 'ipv4-vpn' ? { mpGracefulRestart: { config: { enabled: true } } } : {}),
    })),
  };
}

function familyOf(family: WireFamily | null): Family | undefined {
  const found = Object.entries(FAMILIES).find(([, { afi, safi }]) => afi === family?.afi && safi === family.safi);
  return found?.[0] as Family | undefined;
}

function statusOf(peer: Peer): PeerStatus {
  const { conf, state, timers, afiSafis } = peer;
  const established = state?.sessionState === 'ESTABLISHED';
  return {
    address: parseAddress(conf?.neighborAddress ?? '') ?? 0,
    asn: conf?.peerAsn ?? 0,
    state: STATES[state?.sessionState ?? ''] ?? 'idle',
    routerId: state?.routerId ?? '',
    establishedSince: established ? (timers?.state?.uptime?.seconds ?? 0) * 1000 : 0,
    flaps: state?.flops ?? 0,
    families: afiSafis.flatMap(({ state: its, mpGracefulRestart }) => {
      const family: Family | undefined = familyOf(its?.family ?? null);
      return family && its ? [{ family, received: its.received, accepted: its.accepted, advertised: its.advertised, endOfRib: mpGracefulRestart?.state?.endOfRibReceived ?? false, gracefulRestart: mpGracefulRestart?.state?.received ?? false }] : [];
    }),
  };
}
