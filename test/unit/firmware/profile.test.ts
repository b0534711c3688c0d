// Hardware profiles: those in the tree are right, and a wrong one is refused with place, rule and remedy.
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkProfile, loadProfile, ProfileError } from '../../../firmware/host/profile.ts';

const FOLDER = new URL('../../../hw-profiles/', import.meta.url);
const profileFiles = readdirSync(FOLDER).filter((file) => file.endsWith('.json') && !file.endsWith('.schema.json'));
const virtual = (): Record<string, unknown> => JSON.parse(readFileSync(new URL('virtual.json', FOLDER), 'utf8')) as Record<string, unknown>;
const port = { name: 'a', driver: 'socket', device: '127.0.0.1:1,127.0.0.1:2', queues: 1, ring: { receive: 1024, transmit: 1024 }, mtu: 1500 };

function faultsOf(change: object): readonly string[] {
  try {
    checkProfile({ ...virtual(), ...change }, 'test.json');
  } catch (error) {
    if (error instanceof ProfileError) return error.faults;
    throw error;
  }
  return [];
}

test('every profile in the tree is right and named like its file', () => {
  assert.ok(profileFiles.length >= 4);
  for (const file of profileFiles) assert.is(`${loadProfile(new URL(file, FOLDER).pathname).name}.json`, file);
});

const REFUSED: readonly { name: string; change: object; fault: string }[] = [
  { name: 'too many lcores', change: { lcores: 17 }, fault: '/lcores: maximum: 17 must be <= 16' },
  { name: 'unknown field', change: { colour: 'red' }, fault: '/: additionalProperties: "colour" is unknown; known are $schema, name, kind, description, lcores, cores, poll, ports, workloadPorts, tables, icmpErrors, offloads, image' },
  { name: 'missing field', change: { lcores: undefined }, fault: '/: required: "lcores" is missing; add it' },
  { name: 'unknown driver', change: { ports: [{ ...port, driver: 'dpdk' }] }, fault: '/ports/0/driver: enum: "dpdk" is not one of af_xdp, af_packet, tap, socket, memory' },
  { name: 'ring that is no power of two', change: { ports: [{ ...port, ring: { receive: 1000, transmit: 1024 } }] }, fault: '/ports/0/ring/receive: enum: 1000 is not one of 64, 128, 256, 512, 1024, 2048, 4096' },
  { name: 'name twice', change: { ports: [port, port] }, fault: '/ports/1/name: unique: "a" is the name of /ports/0 already; choose another' },
  { name: 'queues of a socket', change: { ports: [{ ...port, queues: 2 }] }, fault: '/ports/0/queues: socket has one queue; 1 would be right, not 2' },
  { name: 'half a memory pair', change: { ports: [{ ...port, driver: 'memory', device: 'b' }] }, fault: '/ports/0/device: memory: joined with "b", which is no port here; name one of a' },
  { name: 'cores that do not match', change: { cores: [1, 2] }, fault: '/cores: one processor per lcore: 2 are listed for 1 lcores' },
  { name: 'rings beyond the frames', change: { tables: { ...(virtual()['tables'] as object), frames: 2048 }, ports: [port] }, fault: '/tables/frames: the ports\' rings hold up to 4096 frames, but there are 2048; 4096 or more would be right' },
];
for (const { name, change, fault } of REFUSED) {
  test(`refused: ${name}`, () => assert.equal(faultsOf(change), [fault]));
}

test('all faults are told at once', () => {
  assert.equal(faultsOf({ lcores: 0, poll: 'never' }), ['/lcores: minimum: 0 must be >= 1', '/poll: enum: "never" is not one of adaptive, busy']);
});

test('what is no JSON, or no file, is refused by name', () => {
  assert.throws(() => loadProfile('/nonexistent/profile.json'), /hardware profile \/nonexistent\/profile.json is refused/);
});

test.run();
