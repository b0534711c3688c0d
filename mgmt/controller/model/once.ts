/**
 * What only one object decides, found out once: objects never change, and one that many refer to is looked at for each of them. All
 * then share one answer, too.
 */
export function once<T extends object, R>(find: (object: T) => R): (object: T) => R {
  const known = new WeakMap<T, { readonly found: R }>();
  return (object) => {
    let answer = known.get(object);
    if (!answer) known.set(object, answer = { found: find(object) });
    return answer.found;
  };
}
