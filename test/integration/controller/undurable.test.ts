// While the store has not answered, nobody is told of a change, and nobody is judged by it: neither readers, nor callers by their tokens, nor
// appliances, nor who waits for a version. The change is held here while they call, and then it is not made.
import { status, type ServiceError } from '@grpc/grpc-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { chapter } from '../../../examples/chapter.ts';
import { tokenCredentials } from '../../../mgmt/pki/credentials.ts';
import { Config, type Route } from '../../../proto/config.ts';
import { createClient } from '../../../proto/load.ts';
import { Scene, until } from './scene.ts';
import { SimulatedAppliance } from './simulated-appliance.ts';

const USER = 'default-domain:k8s-ns-user-1';
const POOL = `${USER}:k8s-vn-ns-default-pod-network:pool-ns-default`;
const NEW = { name: `${POOL}:new`, floatingIp: { address: '101.101.101.77', virtualMachineInterfaces: [`${USER}:pod-1`] } };
const ROUTER = 'default-global-system-config:compute-1';

let scene: Scene;
const appliance = new SimulatedAppliance('compute-1');
test.before.each(async () => {
  scene = await Scene.open();
  await scene.put(...chapter());
});
test.after.each(async () => {
  appliance.disconnect();
  await scene.close();
});

/** Lets the store take nothing until `answer` is called, which refuses it. */
function hold(): { asked: Promise<void>; answer: () => void } {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const { promise, reject } = Promise.withResolvers<number>();
  const { store } = scene.engine;
  const commit = store.commit.bind(store);
  store.commit = () => {
    store.commit = commit;
    ask();
    return promise as never;
  };
  return { asked, answer: () => reject(new Error('the disk is full')) };
}

/** Every call and stream that comes while a transaction is under way waits for its end. */
const waiting = (calls: number): Promise<void> => {
  const before = scene.engine.listenerCount('settled');
  return until(() => scene.engine.listenerCount('settled') === before + calls, `${calls} calls wait`);
};

async function routesTo(address: string): Promise<Route[]> {
  const found: Route[] = [];
  for await (const page of scene.config.routes({ appliance: 'compute-1', vrf: '', prefix: address })) found.push(...(page as { routes: Route[] }).routes.filter(({ prefix }) => prefix === `${address}/32`));
  return found;
}

test('a change that the store then does not take was seen by nobody', async () => {
  const { token } = await scene.config.createToken({ name: 'eye', role: 'read-only' });
  const eye = createClient(Config, `127.0.0.1:${scene.listening.tokenPort}`, tokenCredentials(scene.pki, token, 'controller'));
  try {
    const { version, objects } = await scene.config.list({});
    const router = (await scene.config.get({ kind: 'virtual-router', name: ROUTER })).virtualRouter!;
    const { asked, answer } = hold();
    const change = scene.config.commit({ operations: [
      { put: NEW }, { delete: { kind: 'access-token', name: 'eye' } }, { put: { name: ROUTER, virtualRouter: { ...router, enrolment: { blocked: true, certificates: [] } } } },
    ] }).then(() => undefined, (error: ServiceError) => error);
    await asked;
    const all = waiting(5);
    const got = scene.config.get({ kind: 'floating-ip', name: NEW.name }).then(() => undefined, (error: ServiceError) => error);
    const others = Promise.allSettled([scene.config.list({}), routesTo('101.101.101.77'), eye.list({})]);
    appliance.connect(scene.address, scene.pki);
    await all.finally(answer);
    const [listed, routes, seen] = await others;
    assert.match((await change)!.details, /the disk is full/);
    assert.is((await got)?.code, status.NOT_FOUND);
    assert.equal(listed, { status: 'fulfilled', value: { version, objects, nextPageToken: '' } });
    assert.equal(routes, { status: 'fulfilled', value: [] });
    assert.is(seen.status, 'fulfilled', 'the token is one');
    await until(() => appliance.version === scene.engine.compiler.appliances.get('compute-1')!.version, 'the appliance is let in');
  } finally {
    eye.close();
  }
});

test('who waits for a version is not told that an appliance need not be waited for, which then stays', async () => {
  await scene.put({ name: 'default-global-system-config:compute-9', virtualRouter: { kind: 'COMPUTE', profile: 'virtual', fabric: { port: 'f', address: '192.168.1.99/24', mac: '02:00:00:00:00:09' } } });
  const { asked, answer } = hold();
  const change = scene.config.delete({ kind: 'virtual-router', name: 'default-global-system-config:compute-9' }).then(() => undefined, (error: ServiceError) => error);
  await asked;
  const all = waiting(1);
  const waits = scene.config.awaitLive({});
  await all.finally(answer);
  assert.match((await change)!.details, /the disk is full/);
  assert.ok((await waits).absent.includes('compute-9'), 'it is told as absent');
});

test.run();
