/** TCP between the Internet and a pod, opened from either side. */
import * as assert from 'uvu/assert';
import type { NamespaceHost } from './hosts.ts';

const PORT = 8080;
const BYTES = 20 << 20;

/** The pod is reached at its floating IP, and comes from it; what arrives is what was sent. */
export async function assertTransfers(internet: NamespaceHost, pod: NamespaceHost, floatingIp: string): Promise<void> {
  for (const [from, at, to, source] of [[internet, pod, floatingIp, internet.address], [pod, internet, internet.address, floatingIp]] as const) {
    const stop = await at.serve(PORT);
    try {
      const { intact, peer } = await from.send(to, PORT, BYTES);
      assert.ok(intact, `${from.name} to ${to}: SHA-256 differs`);
      assert.is(peer, source, `source of what ${from.name} sent`);
    } finally {
      await stop();
    }
  }
}
