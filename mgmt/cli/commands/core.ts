/** core: which forwarding core an appliance runs, a new one under traffic, and the signature that it needs. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { signCore, signerId } from '../../../firmware/host/core-signature.ts';
import type { Core, UpgradeCoreReply } from '../../../proto/core.ts';
import { count, list, show, UsageError } from '../output.ts';
import { openCore, type GlobalOptions } from '../target.ts';

const coreLines = (core: Core): (readonly [string, string | number | undefined])[] => [
  ['core', core.sha256], ['signed by', core.signer || 'nobody: signatures are not asked for'], ['layout', core.layoutVersion], ['running since', new Date(core.sinceMs).toISOString()],
  ['installed core', core.sha256 === core.installedSha256 ? 'this one' : core.installedSha256],
];

export function coreCommands(program: Command, global: () => GlobalOptions): void {
  const core = program.command('core').description('the forwarding core: which one runs, and another in its place without losing a packet');

  core.command('show').description('the core that runs, and who signed it').action(async () => {
    const client = openCore(global());
    try {
      await show<Core>({ read: () => client.getCore(), json: (state) => state, text: (state) => list(coreLines(state)) }, global());
    } finally {
      client.close();
    }
  });

  core.command('upgrade <file>').description('replaces the core while it forwards; ends when the new one has been watched, or the old one runs again')
    .option('--watch-for <seconds>', 'a trap or a hang within this time takes the new core back', watchSeconds, 10)
    .addHelpText('after', '\nExamples:\n  wrouter core sign build/core.wasm --key release.key --out core-signed.wasm\n  wrouter core upgrade core-signed.wasm --on gateway')
    .action(async (file: string, { watchFor }: { watchFor: number }) => {
      const client = openCore(global());
      let reply: UpgradeCoreReply;
      try {
        reply = await client.upgradeCore({ core: read(file), watchMs: watchFor * 1000 });
      } finally {
        client.close();
      }
      await show<UpgradeCoreReply>({ read: async () => reply, json: (same) => same, text: upgradeText }, { ...global(), watch: undefined });
      if (reply.rolledBack !== '') process.exitCode = 1;
    });

  core.command('sign <file>').description('signs a core')
    .requiredOption('--key <pem>', 'the signer\'s private key (Ed25519)').option('--out <file>', 'where to (default: in place)')
    .action((file: string, { key, out }: { key: string; out?: string }) => {
      const signer = signingKey(key);
      writeFileSync(out ?? file, signCore(read(file), signer));
      console.log(`${out ?? file} is signed by ${signerId(signer)}`);
    });

  core.command('keygen <name>').description('makes a signer: NAME.key (keep it), and NAME.pem for the appliances that shall trust it').action((name: string) => {
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(`${name}.key`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
    writeFileSync(`${name}.pem`, createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }), { flag: 'wx' });
    console.log(`signer ${signerId(privateKey)}: ${name}.key, ${name}.pem`);
  });
}

function upgradeText({ core, previousSha256, rehearsed, pauseUs, rolledBack }: UpgradeCoreReply): string {
  const pauses = pauseUs.map((us) => `${Math.round(us)} µs`).join(', ');
  const outcome: readonly (readonly [string, string])[] = [
    ['before', previousSha256], ['rehearsed', `${count(rehearsed)} golden frames`], ['pause by lcore', pauses], ...rolledBack === '' ? [] : [['taken back', rolledBack] as const],
  ];
  return list([...core === null ? [] : coreLines(core), ...outcome]);
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

function signingKey(file: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey(read(file));
  } catch (error) {
    throw new UsageError(`${file} is no private key: ${(error as Error).message}`);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw new UsageError(`${file} is a key of type ${key.asymmetricKeyType ?? 'unknown'}; cores are signed with Ed25519: wrouter core keygen makes one`);
  return key;
}

function watchSeconds(text: string): number {
  const value = Number(text);
  if (!(value >= 0.1 && value <= 3600)) throw new UsageError(`--watch-for ${text}: seconds between 0.1 and 3600`);
  return value;
}
