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
  const wanted = new Set(only === '' ? engine.compiler.appliances.keys() : [only]);
  const whoIsBehind = (): Set<string> => new Set([...wanted].filter(isBehind));
  // Who comes into session meanwhile, or comes again with less than was thought, is waited for as well.
  for (let behind = whoIsBehind(); behind.size > 0 && !isOver(); behind = whoIsBehind()) {
    await new Promise<void>((resolve) => {
      const moved = (name: string): void => {
        if (behind.has(name) && !isBehind(name)) behind.delete(name);
        if (!isOver() && behind.size > 0) return;
        sync.off('moved', moved);
        resolve();
      };
      sync.on('moved', moved);
      onOver(() => moved(''));
    });
  }
  return {
    absent: [...wanted].filter((name) => !sync.presence(name)?.session),
    refused: [...wanted].flatMap((name) => [...sync.presence(name)?.session?.refused.values() ?? []].filter((each) => each.version >= version).map(({ record, reason }) => `${name}: ${record}: ${reason}`)),
  };
}
