/** Fully qualified names in Contrail's form: a dictionary with a part of the name under each key. */
import { parseDictionary, shortened } from './literal.ts';

export const NETWORK_KEYS = ['domain', 'project', 'name'] as const;
export const POOL_KEYS = ['domain', 'project', 'network', 'name'] as const;
/** As the controller takes parts of names. */
const PART = /^[^\s:/]{1,127}$/;

/**
 * "default-domain:k8s-ns:vn" out of {"domain": "default-domain", "project": "k8s-ns", "name": "vn"}; `keys` are those that belong there, in their order.
 *
 * @throws {Error} that says which key is missing, unknown, or not a part of a name.
 */
export function parseQualifiedName(text: string, keys: readonly string[]): string {
  const given = parseDictionary(text);
  for (const key of given.keys()) if (!keys.includes(key)) throw new Error(`unknown key ${JSON.stringify(shortened(key))}; the keys are ${keys.join(', ')}`);
  return keys.map((key) => {
    const part = given.get(key);
    if (part === undefined) throw new Error(`key "${key}" is missing; the keys are ${keys.join(', ')}`);
    if (!PART.test(part)) throw new Error(`${JSON.stringify(shortened(part))} is no ${key}: 1 to 127 characters without blanks, "/" and ":"`);
    return part;
  }).join(':');
}
