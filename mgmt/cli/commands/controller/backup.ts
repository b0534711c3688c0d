/** backup, restore: all objects into a file and back, while the controller runs. */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { BackupReply } from '../../../../proto/config.ts';
import { codecOf } from '../../../../proto/load.ts';
import { withController } from '../../controller-client.ts';
import { UsageError } from '../../output.ts';
import type { GlobalOptions } from '../../target.ts';

const Part = codecOf<BackupReply>('config.proto', 'wrouter.config.v1.BackupReply');
/** First bytes of a file; the digest of the rest follows them. Each part has its length before it, 4 bytes. */
const MAGIC = Buffer.from('wrouter-backup-1\n');
const DIGEST_BYTES = 32;
const digest = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();

export function encodeBackup(parts: readonly BackupReply[]): Buffer {
  const body = Buffer.concat(parts.flatMap((part) => {
    const bytes = Part.encode(part);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  }));
  return Buffer.concat([MAGIC, digest(body), body]);
}

/** @throws {UsageError} when the file is none, or damaged. */
export function decodeBackup(file: Buffer, name: string): BackupReply[] {
  const body = file.subarray(MAGIC.length + DIGEST_BYTES);
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) throw new UsageError(`${name} is no backup of wrouter's`);
  if (!digest(body).equals(file.subarray(MAGIC.length, MAGIC.length + DIGEST_BYTES))) throw new UsageError(`${name} is damaged: its contents are not those that were written`);
  const parts: BackupReply[] = [];
  for (let at = 0; at < body.length; at += 4 + body.readUInt32BE(at)) parts.push(Part.decode(body.subarray(at + 4, at + 4 + body.readUInt32BE(at))));
  return parts;
}

const objectsIn = (parts: readonly BackupReply[]): number => parts.reduce((sum, { objects }) => sum + objects.length, 0);

export function backupCommand(program: Command, global: () => GlobalOptions): void {
  program.command('backup <file>').description('writes all objects, as they are at one version, into a file; it has secrets, so only its owner may read it')
    .addHelpText('after', '\nExample:\n  wrouter backup objects-$(date +%F).wrb')
    .action((file: string) => withController(global(), async (controller) => {
      const parts: BackupReply[] = [];
      for await (const part of controller.backup({}) as AsyncIterable<BackupReply>) parts.push(part);
      writeFileSync(`${file}.new`, encodeBackup(parts), { mode: 0o600 });
      renameSync(`${file}.new`, file);
      console.log(`${objectsIn(parts)} objects of version ${parts[0]?.version ?? 0}`);
    }));

  program.command('restore <file>').description('makes the objects those of a backup, in one transaction: what is not in it is deleted')
    .addHelpText('after', '\nExample:\n  wrouter restore objects-2026-11-24.wrb\nAppliances follow it as any other change, and go on forwarding meanwhile.')
    .action((file: string) => withController(global(), async (controller) => {
      const parts = decodeBackup(readFileSync(file), file);
      const { requests, reply } = controller.restore();
      for (const part of parts) requests.write(part);
      requests.end();
      console.log(`${objectsIn(parts)} objects, version ${(await reply).version}`);
    }));
}
