// Generated from core.proto by proto/generate.ts: do not edit.
import type { Service, Unary } from './load.ts';

export interface ForwardingCoreMethods {
  getCore: Unary<GetCoreRequest, Core>;
  /** Answered when the new core has been watched and is kept, or was taken back. FAILED_PRECONDITION: it never went live, and why. */
  upgradeCore: Unary<UpgradeCoreRequest, UpgradeCoreReply>;
}
export const ForwardingCore: Service<ForwardingCoreMethods> = { file: 'core.proto', name: 'wrouter.core.v1.ForwardingCore' };

export interface GetCoreRequest {}

export interface Core {
  sha256: string;
  /** id of the key that signed it; empty: this dataplane asks for no signature */
  signer: string;
  /** of the memory map that it was built for */
  layoutVersion: number;
  /** Unix time */
  sinceMs: number;
  /** the core that came with the installation */
  installedSha256: string;
}

export interface UpgradeCoreRequest {
  /** a signed WebAssembly module */
  core: Buffer;
  /** a trap or a hang within this time takes it back; 0 = 10,000 */
  watchMs: number;
}

export interface UpgradeCoreReply {
  /** that runs now */
  core: Core | null;
  previousSha256: string;
  /** golden frames that it forwarded as it should before it went live */
  rehearsed: number;
  /** by lcore: between the last run of the old core and the first of the new one */
  pauseUs: number[];
  /** empty: the new core stays; otherwise why the old one runs again */
  rolledBack: string;
}
