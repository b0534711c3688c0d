// Ten thousand random edits of a Kubernetes cluster: the controller's objects are, at every stop, what a translation from scratch makes.
// limit: 240
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ANNOTATIONS, type Annotations, type Named } from '../../../mgmt/kube-manager/kubernetes/objects.ts';
import { makerOf } from '../../../mgmt/kube-manager/reconcile/plan.ts';
import { World } from './world.ts';

const EDITS = 10_000;
const STOP_EVERY = 40;
const SEED = Number(process.env['SEED'] ?? Date.now() % 1e9);

/** mulberry32 */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const NAMESPACES = ['default', 'a', 'b', 'c', 'd'];
const [PODS, SERVICES, NETWORKS] = [12, 6, 3];

class Cluster {
  readonly world: World;
  readonly #random: () => number;
  #uid = 0;

  constructor(world: World, random: () => number) {
    this.world = world;
    this.#random = random;
  }

  #below(limit: number): number { return Math.floor(this.#random() * limit); }
  #one<T>(all: readonly T[]): T { return all[this.#below(all.length)]!; }
  #maybe(share: number): boolean { return this.#random() < share; }
  #named(namespace: string, name: string, annotations: Annotations = {}, before?: Named): Named {
    return { namespace, name, uid: before?.uid ?? `00000000-0000-4000-8000-${(++this.#uid).toString(16).padStart(12, '0')}`, annotations, told: '' };
  }

  /** Names a network of a user, which may be there or not. */
  #network(): { namespace: string; name: string; project: string; network: string } {
    const [namespace, name] = [this.#one(NAMESPACES), `vn${this.#below(NETWORKS)}`];
    return { namespace, name, project: `k8s-${namespace}`, network: `k8s-${name}-pod-network` };
  }

  #poolAnnotation(share: number): Annotations {
    if (!this.#maybe(share)) return {};
    const { project, network } = this.#network();
    const text = JSON.stringify({ domain: 'default-domain', project, network, name: 'pool' });
    return { [ANNOTATIONS.pool]: this.#maybe(0.1) ? 'nonsense' : this.#maybe(0.3) ? text.replaceAll('"', "'") : text };
  }

  /** As Kubernetes does: what is in it goes first. */
  #removeNamespace(namespace: string): void {
    const { cache } = this.world;
    for (const kind of ['pod', 'service', 'backends', 'floatingip', 'floatingippool', 'virtualnetwork', 'nad'] as const) {
      for (const key of [...cache.keys(kind)]) if (key.startsWith(`${namespace}/`)) cache.remove(kind, key);
    }
    cache.remove('namespace', namespace);
  }

  edit(): void {
    const { cache } = this.world;
    const namespace = this.#one(NAMESPACES);
    switch (this.#below(9)) {
      case 0: {
        if (this.#maybe(0.2) && namespace !== 'default') return this.#removeNamespace(namespace);
        const { project, network } = this.#network();
        cache.put('namespace', this.#named('', namespace, {
          ...(this.#maybe(0.4) ? { [ANNOTATIONS.isolation]: this.#one(['true', 'True', 'false', 'what']) } : {}), ...this.#poolAnnotation(0.5),
          ...(this.#maybe(0.15) ? { [ANNOTATIONS.network]: JSON.stringify({ domain: 'default-domain', project, name: network }) } : {}),
        }, cache.get('namespace', namespace)));
        break;
      }
      case 1: case 2: case 3: {
        const name = `p${this.#below(PODS)}`;
        const before = cache.get('pod', `${namespace}/${name}`);
        if (before && this.#maybe(0.35)) return cache.remove('pod', `${namespace}/${name}`);
        const { namespace: other, name: network } = this.#network();
        cache.put('pod', {
          ...this.#named(namespace, name, {
            ...(this.#maybe(0.3) ? { [ANNOTATIONS.networks]: this.#one([`vn0`, `${other}/${network}`, `vn1,${other}/${network}@x0`, '[{"name":"vn0"},{"name":"vn1","interface":"y0"}]', '[{', 'vn0,vn0']) } : {}),
            ...(this.#maybe(0.2) ? { [ANNOTATIONS.floatingIp]: 'true' } : {}), ...this.#poolAnnotation(0.2),
          }, this.#maybe(0.5) ? before : undefined),
          node: this.#one(['compute-1', 'compute-2', 'node-9', 'gateway-1', '']), hostNetwork: this.#maybe(0.05), finished: this.#maybe(0.1), running: this.#maybe(0.5),
        });
        break;
      }
      case 4: {
        const at = this.#below(SERVICES);
        const [name, key] = [`s${at}`, `${namespace}/s${at}`];
        if (this.#maybe(0.25)) return cache.remove('service', key);
        cache.put('service', {
          ...this.#named(namespace, name, this.#poolAnnotation(0.5), cache.get('service', key)), type: this.#one(['ClusterIP', 'LoadBalancer', 'LoadBalancer', 'ExternalName']),
          clusterIp: this.#maybe(0.1) ? 'None' : `10.96.${NAMESPACES.indexOf(namespace)}.${at + 1}`, ports: [{ name: 'http', port: 80 + this.#below(3), protocol: this.#one(['TCP', 'UDP', 'X']) }],
          loadBalancerIp: '', loadBalancerClass: '', externalIps: [], clientIpAffinity: this.#maybe(0.3), ingress: [],
        });
        break;
      }
      case 5: {
        const [service, part] = [`s${this.#below(SERVICES)}`, this.#below(2)];
        if (this.#maybe(0.25)) return cache.remove('backends', `${namespace}/${service}-${part}`);
        const endpoints = Array.from({ length: this.#below(5) }, () => {
          const pod = cache.get('pod', `${namespace}/p${this.#below(PODS)}`);
          return { address: '10.32.0.9', ready: this.#maybe(0.8), serving: this.#maybe(0.9), pod: pod?.name ?? 'gone', podUid: pod?.uid ?? '' };
        });
        cache.put('backends', { ...this.#named(namespace, `${service}-${part}`), service, groups: [{ ports: [{ name: 'http', port: this.#maybe(0.1) ? 81 : 8080, protocol: this.#one(['TCP', 'UDP']) }], endpoints }] });
        break;
      }
      case 6: {
        const at = this.#below(NETWORKS);
        const key = `${namespace}/vn${at}`;
        if (this.#maybe(0.3)) return cache.remove('nad', key);
        cache.put('nad', {
          ...this.#named(namespace, `vn${at}`, this.#maybe(0.1) ? {} : { [ANNOTATIONS.cidr]: this.#maybe(0.1) ? '10.0.0.1/8' : `101.${at}.${NAMESPACES.indexOf(namespace)}.0/24` }, cache.get('nad', key)),
          plugin: this.#maybe(0.05) ? 'bridge' : 'contrail-k8s-cni',
        });
        break;
      }
      case 7: {
        const name = `vn${this.#below(NETWORKS)}`;
        if (this.#maybe(0.3)) return cache.remove('virtualnetwork', `${namespace}/${name}`);
        cache.put('virtualnetwork', { ...this.#named(namespace, name, {}, cache.get('virtualnetwork', `${namespace}/${name}`)), generation: 1, spec: { routeTargets: this.#one([[], ['target:64512:5'], ['target:x']]), shared: this.#maybe(0.3) } });
        break;
      }
      default: {
        if (this.#maybe(0.4)) {
          const name = `f${this.#below(3)}`;
          if (this.#maybe(0.3)) return cache.remove('floatingip', `${namespace}/${name}`);
          const { namespace: other } = this.#network();
          cache.put('floatingip', { ...this.#named(namespace, name, {}, cache.get('floatingip', `${namespace}/${name}`)), generation: 1, spec: { pool: { name: 'pool', namespace: other }, pod: `p${this.#below(PODS)}`, direction: this.#one(['both', 'ingress', 'egress', 'up']) } });
          return;
        }
        if (this.#maybe(0.3)) return cache.remove('floatingippool', `${namespace}/pool`);
        cache.put('floatingippool', { ...this.#named(namespace, 'pool', {}, cache.get('floatingippool', `${namespace}/pool`)), generation: 1, spec: { network: `vn${this.#below(NETWORKS)}`, namespaces: this.#one([['*'], [], ['a', 'b']]) } });
      }
    }
  }
}

test(`${EDITS} edits, seed ${SEED}`, async () => {
  const world = new World();
  world.commit({ operations: ['compute-1', 'compute-2', 'gateway-1'].map((name, at) => ({ put: {
    name: `default-global-system-config:${name}`, virtualRouter: { kind: name === 'gateway-1' ? 'GATEWAY' as const : 'COMPUTE' as const, profile: 'lab', fabric: { port: 'fabric0', address: `10.169.25.${20 + at}/24`, mac: `02:00:00:00:25:${20 + at}` } },
  } })) });
  world.cache.put('namespace', { namespace: '', name: 'default', uid: 'd', annotations: {}, told: '' });
  await world.start();
  const cluster = new Cluster(world, generator(SEED));
  let compared = 0;
  for (let at = 1; at <= EDITS; at++) {
    cluster.edit();
    if (at % 7 === 0) await new Promise((resolve) => { setImmediate(resolve); });
    if (at % STOP_EVERY !== 0) continue;
    await world.settled();
    await agree(world, `seed ${SEED}, after ${at} edits`);
    compared += world.ours().size;
  }
  assert.ok(compared > 1_000, `${compared} objects compared`);
  await world.close();
});

/** What waits for something that is refused is no difference; nothing else may be one. */
async function agree(world: World, when: string): Promise<void> {
  const held = (id: string): boolean => {
    const stored = world.mirror.get(id);
    const unit = world.translator.desired(id)?.unit ?? (stored && makerOf(stored));
    return unit !== undefined && world.reconciler.problemsOf(unit).length > 0;
  };
  const [wanted, found] = [world.fromScratch(held), world.ours()];
  const differences = [...new Set([...wanted.keys(), ...found.keys()])].filter((id) => wanted.get(id) !== found.get(id) && !held(id));
  assert.equal(differences.map((id) => ({ id, wanted: wanted.get(id), found: found.get(id), unit: world.translator.desired(id)?.unit })), [], when);
  const share = [...wanted.keys()].filter(held).length / Math.max(wanted.size, 1);
  assert.ok(share < 0.5, `${when}: ${Math.round(share * 100)} % is held up`);
}

test.run();
