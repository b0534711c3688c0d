/** trace --from … --to …: a packet's way from appliance to appliance and its answer's way back, on the controller's states. */
import { loadCore } from '../../../firmware/host/core.ts';
import { findEnds, isAddress, NoSuchEnd } from '../../trace/ends.ts';
import { askAll, type Ask, type LiveHop } from '../../trace/live.ts';
import { walkText } from '../../trace/text.ts';
import { Walker, type Hop, type Walk } from '../../trace/walk.ts';
import { ControllerSource } from '../controller-source.ts';
import { ipv4Packet, type Packet } from '../frame.ts';
import { refusalText } from '../grpc-errors.ts';
import { show, UsageError } from '../output.ts';
import { openAppliance, openController, openRouting, type GlobalOptions } from '../target.ts';

export interface WalkOptions { readonly from: string; readonly to: string; readonly src?: string; readonly live?: true }
/** All of a packet but where it comes from and goes to. */
export type PacketShape = Omit<Packet, 'source' | 'destination'>;

/** Whoever sends from the Internet, unless --src says another (RFC 5737). */
const OUTSIDE = '198.51.100.9';

interface Reading { readonly walk: Walk; readonly live: ReadonlyMap<Hop, LiveHop> | undefined }

export async function walkCommand(options: WalkOptions, shape: PacketShape, global: GlobalOptions): Promise<void> {
  if (options.src !== undefined && !isAddress(options.src)) throw new UsageError(`--src "${options.src}" is not an IPv4 address`);
  const { module } = loadCore();
  const [config, routing] = [openController(global), openRouting(global)];
  try {
    await show<Reading>({
      async read() {
        const source = new ControllerSource(config, routing);
        const { from, to } = await findEnds(source, options.from, options.to, options.src ?? OUTSIDE).catch((error: unknown) => {
          throw error instanceof NoSuchEnd ? new UsageError(error.message) : error;
        });
        const packet = ipv4Packet({ ...shape, source: options.src ?? from.address, destination: to.address });
        const walk = await new Walker(source, module).walk(from, to, packet);
        return { walk, live: options.live ? await askAll(walk, asking(global)) : undefined };
      },
      json: ({ walk, live }) => asJson(walk, live),
      text: ({ walk, live }) => walkText(walk, live),
    }, global);
  } finally {
    config.close();
    routing.close();
  }
}

/** By the addresses of the context file. */
function asking(global: GlobalOptions): Ask {
  return async (name, iface, frame) => {
    try {
      const appliance = openAppliance({ ...global, on: name });
      try {
        const [{ dataplane }, told] = await Promise.all([appliance.getState(), appliance.trace({ interface: iface, frame: Buffer.from(frame) })]);
        return { version: dataplane?.version ?? 0, told: { ...told, verdict: told.verdict as 'transmit' } };
      } finally {
        appliance.close();
      }
    } catch (error) {
      throw new Error(refusalText(error as Error), { cause: error });
    }
  };
}

function asJson({ from, to, there, back }: Walk, live: ReadonlyMap<Hop, LiveHop> | undefined): unknown {
  const legs = [there, back].map((leg) => leg && { ...leg, hops: leg.hops.map((hop) => {
    const { trace: { verdict, drop, frame: out }, ...rest } = hop;
    return { ...rest, frame: Buffer.from(hop.frame), verdict, drop, sent: Buffer.from(out), ...(live ? { live: live.get(hop) } : {}) };
  }) });
  return { from, to, there: legs[0], back: legs[1] };
}
