// The state log: what was appended comes back, whatever the end of the file looks like.
import fs, { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseLog, StateLog } from '../../../firmware/host/state-log.ts';

function inDirectory(use: (directory: string, file: string) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const directory = mkdtempSync(join(tmpdir(), 'wrouter-state-'));
    try {
      await use(directory, join(directory, 'state.log'));
    } finally {
      rmSync(directory, { recursive: true });
    }
  };
}

function written(directory: string, messages: readonly Buffer[]): void {
  const { log } = StateLog.open(directory);
  for (const message of messages) log.append(message);
  log.close();
}

function reopened(directory: string): { entries: string[]; problem: string } {
  const { log, loaded } = StateLog.open(directory);
  log.close();
  return { entries: loaded.entries.map(String), problem: loaded.problem };
}

const MESSAGES = ['first', '', 'third message'].map((text) => Buffer.from(text));

test('entries come back in order, over several openings', inDirectory((directory) => {
  written(directory, MESSAGES);
  written(directory, [Buffer.from('fourth')]);
  assert.equal(reopened(directory), { entries: [...MESSAGES.map(String), 'fourth'], problem: '' });
}));

test('a log that is cut anywhere keeps every whole entry, and goes on', inDirectory((directory, file) => {
  written(directory, MESSAGES);
  const whole = readFileSync(file);
  const ends = [16, 16 + 8 + 5, 16 + 8 + 5 + 8, whole.length];
  for (let cut = 16; cut <= whole.length; cut++) {
    writeFileSync(file, whole.subarray(0, cut));
    const kept = ends.filter((end) => end <= cut).length - 1;
    const { entries, problem } = reopened(directory);
    assert.equal(entries, MESSAGES.slice(0, kept).map(String), `cut at ${cut}`);
    assert.is(problem === '', ends.includes(cut), `cut at ${cut}: ${problem}`);
    assert.is(statSync(file).size, ends[kept], 'what is no entry is cut off');
    written(directory, [Buffer.from('after')]);
    assert.equal(reopened(directory).entries, [...MESSAGES.slice(0, kept).map(String), 'after']);
  }
}));

test('a damaged byte never comes back as an entry', () => {
  const log = Buffer.concat([heading(), ...MESSAGES.map(entry)]);
  fc.assert(fc.property(fc.integer({ min: 16, max: log.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
    const damaged = Buffer.from(log);
    damaged[at] = damaged[at]! ^ change;
    const { entries } = parseLog(damaged);
    assert.ok(entries.length < MESSAGES.length);
    entries.forEach((bytes, i) => assert.ok(bytes.equals(MESSAGES[i]!)));
  }));
});

test('a file of another memory map is set aside, not misread', inDirectory((directory, file) => {
  const other = heading();
  other.writeUInt32LE(999, 8);
  writeFileSync(file, Buffer.concat([other, entry(Buffer.from('old'))]));
  const { entries, problem } = reopened(directory);
  assert.equal(entries, []);
  assert.match(problem, /memory map 999/);
  assert.ok(readFileSync(`${file}.unreadable`).includes('old'));
  written(directory, MESSAGES);
  assert.is(reopened(directory).entries.length, 3);
}));

test('a snapshot replaces the log whole; one that fails leaves it', inDirectory(async (directory) => {
  const { log } = StateLog.open(directory);
  for (const message of MESSAGES) log.append(message);
  await log.compact((async function* () {
    yield Buffer.from('snapshot');
  })());
  log.append(Buffer.from('later'));
  let failed = false;
  await log.compact((async function* () {
    yield Buffer.from('half');
    throw new Error('no more');
  })()).catch(() => {
    failed = true;
  });
  assert.ok(failed);
  log.append(Buffer.from('last'));
  log.close();
  assert.equal(reopened(directory), { entries: ['snapshot', 'later', 'last'], problem: '' });
}));

test('a message that the disk did not take ends the log there, until a snapshot is written', inDirectory(async (directory) => {
  const { log } = StateLog.open(directory);
  log.append(Buffer.from('first'));
  withFullDisk(() => assert.throws(() => log.append(Buffer.from('lost')), /the state log took 3 of 12 bytes/));
  log.append(Buffer.from('would skip a version'));
  assert.equal(parseLog(readFileSync(join(directory, 'state.log'))).entries.map(String), ['first']);
  assert.ok(log.wantsCompaction(1 << 30), 'a snapshot closes the gap');
  await log.compact((async function* () {
    yield Buffer.from('snapshot');
  })());
  assert.not(log.wantsCompaction(1 << 30));
  log.append(Buffer.from('later'));
  log.close();
  assert.equal(reopened(directory), { entries: ['snapshot', 'later'], problem: '' });
}));

test('a compaction is wanted when the log has outgrown what is live', inDirectory((directory, file) => {
  const { log } = StateLog.open(directory);
  assert.not(log.wantsCompaction(0));
  log.append(Buffer.alloc(5 << 20));
  assert.ok(log.wantsCompaction(0));
  assert.not(log.wantsCompaction(5 << 20));
  log.close();
  appendFileSync(file, 'x');
}));

/** The disk takes three bytes of an entry, and no more. */
function withFullDisk(use: () => void): void {
  const { writevSync } = fs;
  fs.writevSync = (fd, buffers) => fs.writeSync(fd, Buffer.concat(buffers.map((each) => new Uint8Array(each.buffer, each.byteOffset, each.byteLength))).subarray(0, 3));
  syncBuiltinESMExports();
  try {
    use();
  } finally {
    fs.writevSync = writevSync;
    syncBuiltinESMExports();
  }
}

/** A log's first bytes and an entry, as a fresh log writes them. */
function heading(): Buffer {
  return bytesOfLog([]).subarray(0, 16);
}
function entry(message: Buffer): Buffer {
  return bytesOfLog([message]).subarray(16);
}
function bytesOfLog(messages: readonly Buffer[]): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'wrouter-state-'));
  try {
    written(directory, messages);
    return Buffer.from(readFileSync(join(directory, 'state.log')));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test.run();
