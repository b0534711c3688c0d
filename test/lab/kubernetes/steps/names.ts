/** The networks that namespaces and NetworkAttachmentDefinitions make, by the names that Contrail gives them. */
import { cyan } from '../../terminal.ts';
import type { Verdict } from '../../verdict.ts';
import type { KubernetesLab } from '../lab.ts';
import { until } from '../until.ts';

/** Of three namespaces, in each of which a user made vn-left-1. */
const NAMES = [
  'default-domain:k8s-default:k8s-default-pod-network',
  'default-domain:k8s-default:k8s-default-service-network',
  'default-domain:k8s-default:k8s-vn-left-1-pod-network',
  'default-domain:k8s-ns-non-isolated:k8s-vn-left-1-pod-network',
  'default-domain:k8s-ns-isolated:k8s-ns-isolated-pod-network',
  'default-domain:k8s-ns-isolated:k8s-ns-isolated-service-network',
  'default-domain:k8s-ns-isolated:k8s-vn-left-1-pod-network',
];
const PROJECTS = ['k8s-default', 'k8s-ns-non-isolated', 'k8s-ns-isolated'].map((name) => `default-domain:${name}`);

export async function names(lab: KubernetesLab, { section, judge }: Verdict): Promise<void> {
  section('Namespaces are projects, their networks have Contrail\'s names');
  await lab.apply('namespaces.yaml');
  await lab.apply('networks.yaml');
  const networks = async (): Promise<string[]> => (await lab.list('virtual-network')).map(({ name }) => name).filter((name) => PROJECTS.some((project) => name.startsWith(`${project}:`)));
  await until('the networks', async () => { const found = await networks(); return NAMES.every((name) => found.includes(name)); }).catch(() => {});
  const found = await networks();
  for (const name of NAMES) judge(found.includes(name), cyan(name));
  const more = found.filter((name) => !NAMES.includes(name));
  judge(more.length === 0, more.length === 0 ? 'these seven and no others' : `there should be no others: ${more.join(', ')}`);
}
