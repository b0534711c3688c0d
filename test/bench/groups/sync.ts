/** From the controller to live in every lcore, on real processes over gRPC with mutual TLS; and what traffic notices of it. */
import type { Group } from '../rows.ts';
import { churnRows } from '../sync/churn.ts';
import { floatingIpRows } from '../sync/floating-ip.ts';
import { onceRows } from '../sync/once.ts';
import { restartRows } from '../sync/restarts.ts';
import { routeRows } from '../sync/routes.ts';

export const sync: Group = { 'floating-ip': floatingIpRows, 'routes': routeRows, 'churn': churnRows, 'restarts': restartRows, 'once': onceRows };
