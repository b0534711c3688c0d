/** The nodes that a frame passes in the core, for a failure's text. */
import nodes from '../../wasm-core/nodes.json' with { type: 'json' };
import * as L from '../../wasm-core/layout.ts';
import type { Core } from '../fixtures/core.ts';
import type { GeneratedFrame } from '../generate/frames.ts';
import { DROP_NAMES } from '../reference/packet.ts';
import { hex } from '../reference/wire.ts';

export function traceText(core: Core, { port, bytes }: GeneratedFrame): string {
  core.bytes.set(bytes, L.TRACE_FRAME + L.FRAME_HEADROOM);
  const events = core.exports.trace(port, bytes.length);
  const lines = ['  trace of the core:'];
  for (let index = 0; index < events; index += 1) {
    const event = L.TRACE + L.TRACE_EVENTS + index * L.TRACE_EVENT_SIZE;
    const meta = event + L.TE_META;
    const node = nodes.find(({ id }) => id === core.view.getUint16(event + L.TE_NODE, true))?.name;
    const word = (offset: number): number => core.view.getUint32(meta + offset, true);
    const drop = DROP_NAMES.get(core.bytes[meta + L.M_DROP] ?? 0) ?? '';
    lines.push(
      `    ${node}: VRF ${word(L.M_VRF)}, next hop ${word(L.M_NH)}, flags ${core.view.getUint16(meta + L.M_FLAGS, true)} ${drop}`,
      `      ${hex(core.bytes.slice(event + L.TE_PACKET, event + L.TE_PACKET + 48))}`,
    );
  }
  return lines.join('\n');
}
