// Plays the appliance's part of every recording against the real controller, which must say what is recorded, word for word.
// `--rewrite` records anew: read the diff.
import * as grpc from '@grpc/grpc-js';
import { mkdirSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clientCredentials } from '../../../mgmt/pki/credentials.ts';
import { createClient, type Client, type Draft } from '../../../proto/load.ts';
import { Sync, type ApplianceMessage, type ControllerMessage, type SyncMethods } from '../../../proto/sync.ts';
import { LAYOUT_VERSION } from '../../../wasm-core/layout.ts';
import { Scene, until } from '../controller/scene.ts';
import { fromLine, load, recordings, save, toLine, type Happening, type Line, type StandIns } from './recording.ts';
import { SCRIPTS, type Script } from './scripts.ts';

const NAME = 'compute-1';
/** Recording takes its time: what comes late would be recorded under the next happening. */
const QUIET_MS = 400;

/** One stream to the controller. */
class Stream {
  readonly messages: ControllerMessage[] = [];
  error: grpc.ServiceError | undefined;
  readonly #client: Client<SyncMethods>;
  readonly #stream: grpc.ClientDuplexStream<Draft<ApplianceMessage>, ControllerMessage>;

  constructor(scene: Scene, take: (message: ControllerMessage) => void) {
    this.#client = createClient(Sync, scene.address, clientCredentials(scene.pki, NAME, 'controller'));
    this.#stream = this.#client.stream();
    this.#stream.on('data', (message: ControllerMessage) => {
      this.messages.push(message);
      take(message);
    });
    this.#stream.on('error', (error: grpc.ServiceError) => { this.error = error; });
  }

  send(message: Draft<ApplianceMessage>): void { this.#stream.write(message); }
  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }
}

/** What happens at the controller; false: it concerns the stream. */
async function happen(scene: Scene, happening: Happening): Promise<boolean> {
  switch (happening.what) {
    case 'commit': await scene.config.commit({ operations: happening.operations }); return true;
    case 'restart': await scene.restart(); return true;
    case 'store': await scene.restart('another.db'); return true;
    case 'resync': await scene.config.resync({ appliance: NAME, force: happening.force }); return true;
    default: return false;
  }
}

const standIns = (scene: Scene): StandIns => ({ STATE: scene.engine.store.stateId, NAME });
const settled = (scene: Scene): boolean => (scene.listening.sync.presence(NAME)?.session?.unacknowledged ?? 0) === 0;

async function record(script: Script): Promise<void> {
  const scene = await Scene.open();
  const lines: Line[] = [];
  let stream: Stream | undefined;
  let [stateId, version, resyncing] = ['', 0, false];
  const send = (message: Draft<ApplianceMessage>): void => {
    lines.push({ appliance: toLine(message as ApplianceMessage, standIns(scene)) });
    stream!.send(message);
  };
  const take = (message: ControllerMessage): void => {
    lines.push({ controller: toLine(message, standIns(scene)) });
    if (message.welcome) stateId = message.welcome.stateId;
    if (message.beginResync) [version, resyncing] = [0, true];
    const asked = message.update ?? message.endResync;
    if (!asked) return;
    const said = script.ack?.({ nonce: asked.nonce, end: Boolean(message.endResync), force: message.endResync?.force ?? false }) ?? { nonce: asked.nonce };
    if (!said.error && message.endResync) [version, resyncing] = [asked.version, false];
    if (!said.error && message.update && !resyncing && asked.version > 0) version = asked.version;
    send({ ack: { refusals: [], error: '', ...said, version } });
  };
  const quiet = async (): Promise<void> => {
    for (let seen = -1; seen !== lines.length;) {
      seen = lines.length;
      await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    }
    await until(() => settled(scene), 'all acknowledged');
    if (stream?.error && stream.error.code !== grpc.status.CANCELLED) {
      lines.push({ refused: { code: stream.error.code, details: String(toLine(stream.error.details as never, standIns(scene))) } });
      stream.close();
      stream = undefined;
    }
  };
  for (const happening of script.happenings) {
    // Other histories have other names in every run.
    const former = scene.engine.store.stateId;
    lines.push({ do: happening });
    if (!await happen(scene, happening)) {
      stream?.close();
      stream = undefined;
      if (happening.what === 'connect') {
        stream = new Stream(scene, take);
        send({ hello: { name: NAME, kind: 'compute', profile: '', software: '', layoutVersion: LAYOUT_VERSION, stateId: stateId === scene.engine.store.stateId || !stateId ? stateId : 'FORMER', version, ...script.hello } });
      }
    } else if (happening.what === 'store') stateId = former;
    await quiet();
  }
  stream?.close();
  await scene.close();
  save(script.name, lines);
}

async function replay(name: string): Promise<void> {
  const scene = await Scene.open();
  let stream: Stream | undefined;
  let at = 0;
  try {
    for (const [number, line] of load(name).entries()) {
      const where = `${name}.jsonl:${number + 1}`;
      if ('do' in line) {
        await until(() => settled(scene), `${where}: all acknowledged`);
        if (stream) assert.is(stream.messages.length, at, `${where}: the controller said more than is recorded: ${JSON.stringify(stream.messages[at])}`);
        if (await happen(scene, line.do)) continue;
        stream?.close();
        await until(() => scene.listening.sync.presence(NAME)?.session === undefined, `${where}: the session ended`);
        [stream, at] = [line.do.what === 'connect' ? new Stream(scene, () => {}) : undefined, 0];
      } else if ('appliance' in line) {
        stream!.send(fromLine(line.appliance, standIns(scene)));
      } else if ('controller' in line) {
        await until(() => stream!.messages.length > at, `${where}: a message of the controller (${stream!.error?.details ?? 'no error'})`);
        assert.equal(toLine(stream!.messages[at++]!, standIns(scene)), line.controller, where);
      } else {
        await until(() => stream!.error !== undefined, `${where}: the refusal`);
        assert.equal({ code: stream!.error!.code, details: toLine(stream!.error!.details as never, standIns(scene)) }, line.refused, where);
        stream!.close();
        [stream, at] = [undefined, 0];
      }
    }
  } finally {
    stream?.close();
    await scene.close();
  }
}

if (process.argv.includes('--rewrite')) {
  mkdirSync(new URL('./recordings/controller/', import.meta.url), { recursive: true });
  for (const script of SCRIPTS) await record(script);
  console.log(`${SCRIPTS.length} recordings written: read their diff`);
} else {
  test('every script is recorded', () => assert.equal(recordings(), SCRIPTS.map(({ name }) => name)));
  for (const { name } of SCRIPTS) test(name, () => replay(name));
  test.run();
}
