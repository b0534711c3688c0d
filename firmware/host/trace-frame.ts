/** A frame's way through the graph without sending it: the core's `trace`, told in words. */
import type { Draft } from '../../proto/load.ts';
import type { TraceReply } from '../../proto/dataplane.ts';
import { FRAME_HEADROOM, LCORE_TRACE, TRACE_FRAME } from '../../wasm-core/layout.ts';
import { writeClock } from './clock.ts';
import type { CoreExports } from './core.ts';
import type { MemoryViews } from './memory.ts';
import type { Names } from './names.ts';
import { formatTrace } from './trace.ts';

/** @param frame from the Ethernet header on, at most FRAME_CAPACITY bytes */
export function traceFrame(views: MemoryViews, core: CoreExports, names: Names, interfaceId: number, frame: Buffer): Draft<TraceReply> {
  const buffer = views.memory.buffer;
  writeClock(views, LCORE_TRACE);
  views.u8.set(frame, TRACE_FRAME + FRAME_HEADROOM);
  core.trace(interfaceId, frame.length);
  const trace = formatTrace({ view: new DataView(buffer), bytes: views.u8 }, names.maps(), interfaceId, frame);
  return { ...trace, frame: Buffer.from(trace.frame) };
}
