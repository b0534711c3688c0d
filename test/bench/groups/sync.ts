/** From the controller to live in every lcore, on real processes over gRPC with mutual TLS; and what traffic notices of it. */
import type { Row } from '../rows.ts';
import { churnRows } from '../sync/churn.ts';
import { floatingIpRows } from '../sync/floating-ip.ts';
import { restartRows } from '../sync/restarts.ts';
import { routeRows } from '../sync/routes.ts';

export async function sync(report: (row: Row) => void): Promise<void> {
  await floatingIpRows(report);
  await routeRows(report);
  await churnRows(report);
  await restartRows(report);
}
