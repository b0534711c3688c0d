/** When is a version live? For whoever changed something and wants to know when packets see it. */
import * as grpc from '@grpc/grpc-js';
import type * as wire from '../../../proto/config.ts';
import { rpcError, type Draft } from '../../../proto/load.ts';
import type { Engine } from '../engine.ts';
import type { SyncServer } from '../sync/server.ts';

/**
 * Resolves when the version is live at every appliance in session, or at the one that is named, in session or not. An appliance
 * that the version does not touch need not say so.
 *
 * @param isOver true once nobody waits for the answer any more; @param onOver calls back when that comes
 */
export async function awaitLive(engine: Engine, sync: SyncServer, { version: asked, appliance: only }: wire.AwaitLiveRequest, isOver: () => boolean, onOver: (listener: () => void) => void): Promise<Draft<wire.AwaitLiveReply>> {
  const version = asked === 0 ? engine.version : asked;
  if (version > engine.version) throw rpcError(grpc.status.OUT_OF_RANGE, `there is no version ${version} yet: now it is ${engine.version}`);
  const isBehind = (name: string): boolean => {
    const appliance = engine.compiler.appliances.get(name);
    const presence = sync.presence(name);
    if (!appliance || (only === '' && !presence?.session)) return false;
    return (presence?.live ?? 0) < Math.min(version, appliance.version);
  };
  // An appliance whose deletion is under way is still one: what is not durable may not come to be.
  const wanted = await engine.whenSettled(() => new Set(only === '' ? engine.compiler.appliances.keys() : [only]));
  const look = (): Promise<{ behind: Set<string>; absent: string[] }> => engine.whenSettled(() => ({
    behind: new Set([...wanted].filter(isBehind)),
    absent: [...wanted].filter((name) => !sync.presence(name)?.session),
  }));
  // Who comes into session meanwhile, or comes again with less than was thought, is waited for as well.
  let { behind, absent } = await look();
  while (behind.size > 0 && !isOver()) {
    await new Promise<void>((resolve) => {
      const moved = (name: string): void => {
        // While a transaction is under way nobody can say whether it is behind; before the answer all are looked at once more.
        if (behind.has(name) && !(engine.settled && isBehind(name))) behind.delete(name);
        if (!isOver() && behind.size > 0) return;
        sync.off('moved', moved);
        resolve();
      };
      sync.on('moved', moved);
      onOver(() => moved(''));
    });
    ({ behind, absent } = await look());
  }
  return {
    absent,
    refused: [...wanted].flatMap((name) => [...sync.presence(name)?.session?.refused.values() ?? []].filter((each) => each.version >= version).map(({ record, reason }) => `${name}: ${record}: ${reason}`)),
  };
}
