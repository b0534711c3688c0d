/** The ForwardingCore service on the dataplane's socket: which core runs, and its replacement under traffic. proto/core.proto */
import { status } from '@grpc/grpc-js';
import { rpcError, type Draft, type Handlers } from '../../proto/load.ts';
import type { Core, ForwardingCoreMethods } from '../../proto/core.ts';
import { LAYOUT_VERSION } from '../../wasm-core/layout.ts';
import { CoreRefused } from './core-signature.ts';
import type { CoreUpgrade } from './core-upgrade.ts';

/** How long a new core is watched, unless the caller says. */
const WATCH_MS = 10_000;

export function coreHandlers(upgrade: CoreUpgrade): Handlers<ForwardingCoreMethods> {
  const present = (): Draft<Core> => {
    const { running: { sha256, signer }, sinceMs, base } = upgrade;
    return { sha256, signer, layoutVersion: LAYOUT_VERSION, sinceMs, installedSha256: base.sha256 };
  };
  return {
    getCore: present,
    upgradeCore: async ({ core, watchMs }) => {
      try {
        const { previous, rehearsed, pauseUs, rolledBack } = await upgrade.upgrade(core, watchMs || WATCH_MS);
        return { core: present(), previousSha256: previous.sha256, rehearsed, pauseUs: [...pauseUs], rolledBack };
      } catch (error) {
        if (error instanceof CoreRefused) throw rpcError(status.FAILED_PRECONDITION, error.message);
        throw error;
      }
    },
  };
}
