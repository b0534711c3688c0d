/** Fields of objects that go in and never come out: whoever shows an object to anybody shows `withoutSecrets` of it. */
import type { Stored } from './kinds.ts';

/** Stands for a secret that is set; written back, it keeps the one that is there. */
export const HIDDEN = '(hidden)';

export function withoutSecrets<S extends Stored>(object: S): S {
  if (object.kind === 'access-token') return { ...object, spec: { ...object.spec, sha256: HIDDEN } };
  if (object.kind !== 'bgp-router' || object.spec.authKey === '') return object;
  return { ...object, spec: { ...object.spec, authKey: HIDDEN } };
}

/** The secrets that `object` keeps by writing HIDDEN: those of `current`. One that is not there stays HIDDEN, and is refused. */
export function withKeptSecrets(object: Stored, current: Stored | undefined): Stored {
  if (object.kind === 'bgp-router' && current?.kind === 'bgp-router' && object.spec.authKey === HIDDEN && current.spec.authKey !== '') return { ...object, spec: { ...object.spec, authKey: current.spec.authKey } };
  if (object.kind === 'access-token' && current?.kind === 'access-token' && object.spec.sha256 === HIDDEN) return { ...object, spec: { ...object.spec, sha256: current.spec.sha256 } };
  return object;
}
