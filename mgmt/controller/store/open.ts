/** Which store: a file of this controller's own, or the etcd that it shares with others. */
import { clientCredentials } from '../../pki/credentials.ts';
import { EtcdStore } from './etcd.ts';
import { SqliteStore } from './sqlite.ts';
import type { Store } from './store.ts';

const ETCD = 'etcd://';
const ENDPOINT = /^[^\s/,]+:\d{1,5}$/;

/** Whether `where` names a file of this controller's own. */
export const isFile = (where: string): boolean => !where.startsWith(ETCD);

/**
 * Opens the store that `where` names: a file, or etcd://HOST:PORT[,HOST:PORT…].
 *
 * @param pki folder with the certificates for etcd: `ca.crt`, NAME.crt, NAME.key; etcd's own must be of role "store".
 */
export async function openStore(where: string, pki: string | undefined, name: string): Promise<Store> {
  if (isFile(where)) return new SqliteStore(where);
  const endpoints = where.slice(ETCD.length).split(',');
  const wrong = endpoints.find((endpoint) => !ENDPOINT.test(endpoint));
  if (wrong !== undefined) throw new Error(`--store ${where}: ${JSON.stringify(wrong)} is no HOST:PORT; write etcd://HOST:PORT[,HOST:PORT…]`);
  if (pki === undefined) throw new Error(`--store-pki DIR is missing: the folder with ca.crt, ${name}.crt and ${name}.key that etcd knows`);
  return EtcdStore.open({ endpoints, credentials: () => clientCredentials(pki, name, 'store') });
}
