/** GoBGP and the controller killed under traffic through a gateway of another maker: the chapter's lab, a ping each millisecond. */
import { ChapterLab, GATEWAY, INTERNET, PODS, controlNode, router } from '../../interop/chapter-lab.ts';
import { until } from '../../interop/bgp-lab.ts';
import type { Row } from '../rows.ts';

export async function killedRows(report: (row: Row) => void): Promise<void> {
  const lab = new ChapterLab();
  try {
    await lab.open();
    await lab.forward(GATEWAY, () => lab.learnedByFrr());
    await lab.frr.start();
    lab.frr.red(`route add default via ${INTERNET} dev inside`);
    await lab.put(controlNode, router(GATEWAY));
    await until('the first answer', async () => (await lab.internet.ping(PODS[0].floatingIp, 1, 200)).received === 1);
    const established = () => until('the session', async () => (await lab.controller.routing.bgpNeighbors({})).neighbors.every(({ state }) => state === 'established'));
    for (const [what, kill] of [
      ['GoBGP', async () => {
        const before = lab.speakerPid();
        process.kill(before, 'SIGKILL');
        await until('another GoBGP', () => lab.speakerPid() !== before);
      }],
      ['the controller', async () => {
        await lab.controller.kill();
        await lab.controller.start();
      }],
    ] as const) {
      const { lost, sent } = await lab.internet.probe(PODS[0].floatingIp, async () => {
        await kill();
        await established();
      });
      report({ name: `${what} killed under traffic, ${sent} pings to a floating IP: lost`, value: lost.reduce((sum, [, count]) => sum + count, 0), unit: 'packets', bar: { kind: '≤', limit: 0 } });
    }
  } finally {
    await lab.close();
  }
}
