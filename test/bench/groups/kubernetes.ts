/** A real Kubernetes API server, kube-manager, the CNI and appliances in namespaces (root): test/lab/kubernetes. */
import { pods } from '../kubernetes/pods.ts';
import { scale } from '../kubernetes/scale.ts';
import type { Group } from '../rows.ts';

export const kubernetes: Group = { pods, scale };
