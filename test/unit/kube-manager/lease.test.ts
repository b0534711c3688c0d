// Replicas over one Lease, in a time of the test's own: never two hold it, whatever the API server does; and one does soon, when it may.
import * as fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Clock } from '../../../mgmt/clock.ts';
import { ApiError, type Raw } from '../../../mgmt/kube-manager/kubernetes/client.ts';
import { Lease } from '../../../mgmt/kube-manager/lease.ts';

const test = suite('lease');

/** Time that goes on when it is told to. */
class Time implements Clock {
  #now = 1000;
  readonly #timers = new Set<{ at: number; action: () => void }>();

  now(): number { return this.#now; }

  after(ms: number, action: () => void): () => void {
    const timer = { at: this.#now + ms, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  async pass(ms: number): Promise<void> {
    for (const end = this.#now + ms; ; ) {
      await settled();
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((one, other) => one.at - other.at);
      if (!next) {
        this.#now = end;
        return;
      }
      this.#now = Math.max(this.#now, next.at);
      this.#timers.delete(next);
      next.action();
    }
  }
}

const settled = async (): Promise<void> => { for (let turn = 0; turn < 20; turn++) await Promise.resolve(); };

/** An API server with one Lease. */
class Server {
  lease: Raw | undefined;
  #version = 0;

  client(reachable: () => boolean): ConstructorParameters<typeof Lease>[0] {
    const check = (): void => { if (!reachable()) throw new Error('no answer'); };
    const store = (body: object): Raw => {
      const { metadata } = body as { metadata: Raw };
      return this.lease = { ...body, metadata: { ...metadata, resourceVersion: String(++this.#version) } };
    };
    return {
      get: async () => {
        check();
        if (!this.lease) throw new ApiError(404, 'NotFound', 'no such lease');
        return structuredClone(this.lease);
      },
      post: async (_path, body) => {
        check();
        if (this.lease) throw new ApiError(409, 'AlreadyExists', 'exists');
        return store(body);
      },
      put: async (_path, body) => {
        check();
        if ((body as { metadata: Raw }).metadata['resourceVersion'] !== (this.lease!['metadata'] as Raw)['resourceVersion']) throw new ApiError(409, 'Conflict', 'changed');
        return store(body);
      },
    };
  }
}

const log = { info: () => {}, warn: () => {} };
const replica = (server: Server, time: Time, holder: string, reachable: () => boolean = () => true): Lease => (
  new Lease(server.client(reachable), { namespace: 'kube-system', name: 'wrouter-kube-manager', holder, log }, time));

test('the first takes it at once and keeps it; the second waits', async () => {
  const [server, time] = [new Server(), new Time()];
  const [a, b] = [replica(server, time, 'a'), replica(server, time, 'b')];
  const told: boolean[] = [];
  a.onChange = (held) => told.push(held);
  void a.run();
  await time.pass(0);
  void b.run();
  await time.pass(120_000);
  assert.equal([a.held, b.held, told], [true, false, [true]]);
  assert.match(String((server.lease!['spec'] as Raw)['holderIdentity']), /^a_/);
});

test('given back, it is the other\'s at the next look', async () => {
  const [server, time] = [new Server(), new Time()];
  const [a, b] = [replica(server, time, 'a'), replica(server, time, 'b')];
  void a.run();
  await time.pass(0);
  void b.run();
  await time.pass(5000);
  await a.release();
  assert.not(a.held);
  await time.pass(2000);
  assert.ok(b.held);
  assert.is((server.lease!['spec'] as Raw)['leaseTransitions'], 1);
});

test('whoever cannot renew stops before the other begins', async () => {
  const [server, time] = [new Server(), new Time()];
  let reachable = true;
  const [a, b] = [replica(server, time, 'a', () => reachable), replica(server, time, 'b')];
  const told: boolean[] = [];
  a.onChange = (held) => told.push(held);
  void a.run();
  await time.pass(0);
  void b.run();
  await time.pass(20_000);
  reachable = false;
  await time.pass(8000);
  assert.equal([a.held, b.held], [true, false], 'an API server may be away for a while');
  await time.pass(4000);
  assert.equal([a.held, b.held, told], [false, false, [true, false]]);
  await time.pass(7000);
  assert.equal([a.held, b.held], [false, true]);
  reachable = true;
  await time.pass(60_000);
  assert.equal([a.held, b.held], [false, true]);
});

test('never two, and one within 20 s of calm', async () => {
  const step = fc.record({ reachable: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }), ms: fc.integer({ min: 1, max: 12_000 }) });
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
    const [server, time] = [new Server(), new Time()];
    let reachable: readonly boolean[] = [true, true, true];
    const replicas = ['a', 'b', 'c'].map((holder, at) => replica(server, time, holder, () => reachable[at]!));
    for (const each of replicas) void each.run();
    const holders = (): number => replicas.filter(({ held }) => held).length;
    for (const { reachable: now, ms } of steps) {
      reachable = now;
      for (let passed = 0; passed < ms; passed += 500) {
        await time.pass(Math.min(500, ms - passed));
        assert.ok(holders() <= 1, `${holders()} hold it`);
      }
    }
    reachable = [true, true, true];
    await time.pass(20_000);
    assert.is(holders(), 1);
    for (const each of replicas) await each.release();
  }), { numRuns: 100 });
});

test.run();
