/**
 * A stream of numbered datagrams that finds every lost packet. The far end sends each back, so both directions count.
 *
 *   node probe.ts echo PORT                              until it is stopped
 *   node probe.ts stream ADDRESS PORT RATE SECONDS       prints a ProbeResult as JSON
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface ProbeResult {
  sent: number;
  received: number;
  /** Sequence numbers that never came back, in runs: [first, count]. */
  lost: [number, number][];
  duplicates: number;
  /** Longest time between two answers. */
  longestGapMs: number;
}

/** Sends `rate` datagrams a second for `seconds`, then waits a second for the last ones. */
export async function streamProbes(address: string, port: number, rate: number, seconds: number): Promise<ProbeResult> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  socket.connect(port, address);
  await once(socket, 'connect');
  const total = Math.round(rate * seconds);
  const back = new Uint8Array(total);
  let [received, duplicates, longestGapMs] = [0, 0, 0];
  let lastMs = performance.now();
  socket.on('message', (message) => {
    const sequence = message.readUInt32BE(0);
    if (back[sequence] === 1) duplicates++;
    else received++;
    back[sequence] = 1;
    longestGapMs = Math.max(longestGapMs, performance.now() - lastMs);
    lastMs = performance.now();
  });
  // An ICMP error about one datagram is reported by a later send; the datagram counts as lost either way.
  socket.on('error', () => {});
  const started = performance.now();
  for (let sent = 0; sent < total; await sleep(1)) {
    const due = Math.min(total, Math.ceil(((performance.now() - started) / 1000) * rate));
    for (; sent < due; sent++) {
      const message = Buffer.alloc(32);
      message.writeUInt32BE(sent, 0);
      socket.send(message);
    }
  }
  for (let waited = 0; received < total && waited < 1000; waited += 20) await sleep(20);
  socket.close();
  return { sent: total, received, lost: runsOfZero(back), duplicates, longestGapMs };
}

function runsOfZero(back: Uint8Array): [number, number][] {
  const runs: [number, number][] = [];
  for (let i = 0; i < back.length; i++) {
    if (back[i] === 1) continue;
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === i) last[1]++;
    else runs.push([i, 1]);
  }
  return runs;
}

async function main([verb, ...args]: string[]): Promise<void> {
  if (verb === 'echo' && args.length === 1) {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
    socket.on('message', (message, from) => socket.send(message, from.port, from.address));
    socket.bind(Number(args[0]), '0.0.0.0');
    await once(socket, 'listening');
    console.log('listening');
  } else if (verb === 'stream' && args.length === 4) {
    const [address, port, rate, seconds] = args as [string, string, string, string];
    console.log(JSON.stringify(await streamProbes(address, Number(port), Number(rate), Number(seconds))));
  } else throw new Error('usage: probe.ts echo PORT | stream ADDRESS PORT RATE SECONDS');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
