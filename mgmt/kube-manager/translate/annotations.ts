/** Contrail's annotations as they are meant, and ours. What is wrong is reported by its field. */
import { parseQualifiedName, NETWORK_KEYS, POOL_KEYS } from '../config/qualified-name.ts';
import { shortened } from '../config/literal.ts';
import { ANNOTATIONS, type Annotations, type Named } from '../kubernetes/objects.ts';
import type { Problem } from './desired.ts';

export type Report = (field: string, rule: string, message: string) => void;

/** A reporter, and what it was told. */
export function problems(): { report: Report; found: Problem[] } {
  const found: Problem[] = [];
  return { found, report: (field, rule, message) => { found.push({ field, rule, message }); } };
}

export const annotationField = (key: string): string => `metadata.annotations[${key}]`;

/** "true" and "false" in any case; anything else is reported, and counts as false. */
function flag(annotations: Annotations, key: string, report: Report): boolean {
  const value = annotations[key];
  if (value === undefined) return false;
  const word = value.trim().toLowerCase();
  if (word !== 'true' && word !== 'false') report(annotationField(key), 'InvalidAnnotation', `${JSON.stringify(shortened(value))} is neither "true" nor "false"`);
  return word === 'true';
}

export const isIsolated = (object: Named, report: Report = () => {}): boolean => flag(object.annotations, ANNOTATIONS.isolation, report);

/** What Contrail's underlay annotations ask for is not there: told, and done without. */
export function reportUnderlay(object: Named, report: Report): void {
  for (const [key, what] of [[ANNOTATIONS.forwarding, 'pods have addresses of the overlay'], [ANNOTATIONS.snat, 'give the pod a floating IP, or its network a route target of a gateway']] as const) {
    if (flag(object.annotations, key, report)) report(annotationField(key), 'NotRealised', `is not realised: ${what}; remove the annotation, or set it to "false"`);
  }
}

/** Full name of the network that an object chooses; undefined: it chooses none; null: it says something wrong. */
export function chosenNetwork(object: Named | undefined, report: Report): string | null | undefined {
  return qualified(object, ANNOTATIONS.network, NETWORK_KEYS, report);
}

/** Full name of the floating-IP pool that an object chooses; likewise. */
export function chosenPool(object: Named | undefined, report: Report): string | null | undefined {
  return qualified(object, ANNOTATIONS.pool, POOL_KEYS, report);
}

function qualified(object: Named | undefined, key: string, keys: readonly string[], report: Report): string | null | undefined {
  const value = object?.annotations[key];
  if (value === undefined) return undefined;
  try {
    return parseQualifiedName(value, keys);
  } catch (error) {
    report(annotationField(key), 'InvalidAnnotation', (error as Error).message);
    return null;
  }
}

/** One of the networks that a pod asks for beside its default one. */
export interface Attachment { readonly namespace: string; readonly name: string; /** Empty: by its place. */ readonly interface: string }

/** Names of Kubernetes objects (RFC 1123) and of Linux devices. */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;
const DEVICE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;
/** eth0 is the default network's. */
const MAX_ATTACHMENTS = 31;

/** k8s.v1.cni.cncf.io/networks of a pod in both forms: "net1,ns2/net2@eth5", or JSON [{"name", "namespace", "interface"}]. Null: it is wrong. */
export function attachmentsOf(object: Named, report: Report): readonly Attachment[] | null {
  const field = annotationField(ANNOTATIONS.networks);
  const value = object.annotations[ANNOTATIONS.networks]?.trim() ?? '';
  if (value === '') return [];
  const wrong = (message: string): null => {
    report(field, 'InvalidAnnotation', message);
    return null;
  };
  let attachments: Attachment[];
  if (value.startsWith('[') || value.startsWith('{')) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(value);
    } catch (error) {
      return wrong(`${JSON.stringify(shortened(value))} is no JSON: ${(error as Error).message}`);
    }
    if (!Array.isArray(parsed)) return wrong('is no JSON list; write [{"name": "net1", "namespace": "ns1", "interface": "eth1"}]');
    attachments = [];
    for (const [at, each] of parsed.entries()) {
      const element = typeof each === 'object' && each !== null ? each as Readonly<Record<string, unknown>> : {};
      const { name, namespace = object.namespace, interface: device = '' } = element;
      if (typeof name !== 'string' || typeof namespace !== 'string' || typeof device !== 'string') return wrong(`element ${at} has no "name", or one of "name", "namespace" and "interface" is no text`);
      attachments.push({ namespace, name, interface: device });
    }
  } else {
    attachments = value.split(',').map((each) => {
      const [, namespace = object.namespace, name = '', device = ''] = /^\s*(?:([^/@\s]*)\/)?([^/@\s]*)(?:@([^/@\s]*))?\s*$/.exec(each) ?? [];
      return { namespace, name, interface: device };
    });
  }
  for (const [at, { namespace, name, interface: device }] of attachments.entries()) {
    if (!OBJECT_NAME.test(name) || !OBJECT_NAME.test(namespace)) return wrong(`element ${at}: ${JSON.stringify(shortened(`${namespace}/${name}`))} is not the name of a NetworkAttachmentDefinition, such as net1 or ns2/net2`);
    if (device !== '' && !DEVICE.test(device)) return wrong(`element ${at}: ${JSON.stringify(shortened(device))} is not the name of an interface: 1 to 15 letters, digits, ".", "_" and "-"`);
  }
  if (attachments.length > MAX_ATTACHMENTS) return wrong(`has ${attachments.length} networks; ${MAX_ATTACHMENTS} is the most`);
  const devices = ['lo', 'eth0', ...attachments.map((each, at) => each.interface || `eth${at + 1}`)];
  const twice = devices.find((device, at) => devices.indexOf(device) !== at);
  if (twice !== undefined) return wrong(`interface ${JSON.stringify(twice)} is there twice${twice === 'eth0' ? ': it is that of the default network' : ''}; give each network an interface of its own`);
  return attachments;
}
