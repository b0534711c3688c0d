// The store under kill -9: every acknowledged transaction is there afterwards, none is there by half.
// limit: 300 s
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Engine } from '../../../mgmt/controller/engine.ts';
import { SqliteStore } from '../../../mgmt/controller/store/sqlite.ts';

const KILLS = Number(process.env['KILLS'] ?? 12);
const WRITER = fileURLToPath(new URL('./writer.ts', import.meta.url));

/** Runs a writer until it has acknowledged `after` transactions and some time more has passed; the last version it acknowledged. */
async function writeAndKill(path: string, after: number, delayMs: number): Promise<number> {
  const child = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  let [text, seen] = ['', 0];
  child.stdout.setEncoding('utf8');
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: string) => {
      text += chunk;
      seen += chunk.split('\n').length - 1;
      if (seen >= after) resolve();
    });
    child.on('exit', (code) => reject(new Error(`the writer ended by itself with ${code}`)));
  });
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  child.removeAllListeners('exit');
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
  return Number(text.slice(0, text.lastIndexOf('\n')).split('\n').at(-1));
}

test(`${KILLS} kills: nothing acknowledged is lost, nothing is half`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'wrouter-kill-'));
  try {
    const path = join(folder, 'store.db');
    let known = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      const acknowledged = await writeAndKill(path, 1 + Math.floor(Math.random() * 40), Math.random() * 20);
      assert.ok(acknowledged > known, 'the writer wrote on');
      const store = new SqliteStore(path);
      assert.ok(store.version >= acknowledged, `version ${acknowledged} was acknowledged, the store has ${store.version}`);
      assert.ok(store.version <= acknowledged + 1, 'at most the one that was under way is there beyond');
      known = store.version;
      const engine = await Engine.open(store);
      for (let at = 0; at < 7; at++) {
        const parts = [0, 1, 2].map((part) => engine.objects.get('virtual-network', `default-domain:p:n${at}-${part}`)?.spec.mssClamp);
        assert.ok(parts.every((each) => each === parts[0]), `the three of n${at} were written together: ${parts.join()}`);
      }
      const history = store.history(Math.max(0, known - 50), 1000);
      assert.ok(history !== undefined && history.at(-1)!.version === known, 'the history ends where the store does');
      store.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
