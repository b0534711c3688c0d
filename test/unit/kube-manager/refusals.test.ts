// Wrong objects: each is refused with the field and the rule, and with nothing of it in the controller; the good ones beside them are there.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ANNOTATIONS, type Annotations, type Named } from '../../../mgmt/kube-manager/kubernetes/objects.ts';
import { World } from './world.ts';

const named = (name: string, annotations: Annotations = {}, namespace = 'default'): Named => ({ namespace, name, uid: `00000000-0000-4000-8000-${Buffer.from(name).toString('hex').slice(0, 12).padStart(12, '0')}`, annotations, told: '' });
const HUGE = 'x'.repeat(5_000);

const CIDRS = ['', ' ', '10.0.0.0', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/7', '10.0.0.0/31', '10.0.0.1/24', '300.0.0.0/8', '10.0.0/24', '010.0.0.0/8', '10.0.0.0/24,10.1.0.0/24', 'fd00::/64', '127.0.0.0/8', '224.0.0.0/8', '0.0.0.0/8', '１0.0.0.0/8', HUGE, '{"cidr":"10.0.0.0/24"}'];
const NETWORKS = ['[', '{', '{}', '[1]', '[{}]', '[{"name":1}]', '[{"name":"a","namespace":2}]', '[{"name":"a","interface":3}]', '[null]', '"a"x', 'a,', ',a', 'a b', 'a/b/c', 'A', '[{"name":"a","interface":"eth0"}]', '[{"name":"a","interface":"lo"}]',
  '[{"name":"a","interface":"x"},{"name":"b","interface":"x"}]', '[{"name":"a","interface":"sixteen-letters-"}]', '[{"name":"a","interface":"a/b"}]', 'ä', HUGE, Array.from({ length: 40 }, (_, at) => `n${at}`).join(), 'missing', 'default/missing', '[{"name":"missing"}]', '../etc'];
const NAMES = ['', '{', 'pool', '[]', '{"domain":"d"}', '{"domain":1,"project":"p","network":"n","name":"x"}', '{"domain":"","project":"p","network":"n","name":"x"}', '{"domain":"d","project":"p p","network":"n","name":"x"}', '{"domain":"d","project":"p","network":"n:n","name":"x"}',
  "{'domain':'d','project':'p','network':'n'}", '{"domain":"d","project":"p","network":"n","name":"x","more":"y"}', '{"domain":"d","domain":"d","project":"p","network":"n","name":"x"}', `{"domain":"${'d'.repeat(128)}","project":"p","network":"n","name":"x"}`, HUGE, 'None', '{"domain":"d","project":"p","network":"n","name":"x"} #',
  '{"domain":"default-domain","project":"k8s-default","network":"none","name":"none"}'];
const ADDRESSES = ['x', '1.2.3', '1.2.3.4.5', '1.2.3.256', '01.2.3.4', ' 1.2.3.4', '1.2.3.4/32', '::1', 'localhost', '１.2.3.4', HUGE];
const FLAGS = ['', 'yes', '1', 'truе', 'true false', 'null', HUGE];

test('each is refused by field and rule; what is good is there', async () => {
  const world = new World();
  const { cache } = world;
  cache.put('namespace', named('default', {}, ''));
  const units: string[] = [];
  const bad = (kind: string, name: string): string => {
    units.push(`${kind} ${kind === 'namespace' ? name : `default/${name}`}`);
    return name;
  };
  CIDRS.forEach((cidr, at) => cache.put('nad', { ...named(bad('nad', `c${at}`), { [ANNOTATIONS.cidr]: cidr }), plugin: 'contrail-k8s-cni' }));
  NETWORKS.forEach((text, at) => cache.put('pod', { ...named(bad('pod', `n${at}`), { [ANNOTATIONS.networks]: text }), node: 'compute-1', hostNetwork: false, finished: false, running: false }));
  NAMES.forEach((text, at) => {
    cache.put('service', { ...named(bad('service', `p${at}`), { [ANNOTATIONS.pool]: text }), type: 'LoadBalancer', clusterIp: `10.96.1.${at + 1}`, ports: [], loadBalancerIp: '', loadBalancerClass: '', externalIps: [], clientIpAffinity: false, ingress: [] });
    cache.put('namespace', named(bad('namespace', `q${at}`), { [ANNOTATIONS.network]: text }, ''));
    cache.put('floatingip', { ...named(bad('floatingip', `f${at}`), { [ANNOTATIONS.pool]: text }), generation: 1, spec: {} });
    cache.put('pod', { ...named(bad('pod', `v${at}`), { [ANNOTATIONS.network]: text }), node: 'compute-1', hostNetwork: false, finished: false, running: false });
  });
  FLAGS.forEach((text, at) => {
    cache.put('namespace', named(bad('namespace', `i${at}`), { [ANNOTATIONS.isolation]: text }, ''));
    cache.put('namespace', named(bad('namespace', `s${at}`), { [ANNOTATIONS.snat]: text }, ''));
  });
  ADDRESSES.forEach((text, at) => {
    const service = { ports: [], loadBalancerClass: '', clientIpAffinity: false, ingress: [], type: 'LoadBalancer', clusterIp: `10.96.2.${at + 1}`, loadBalancerIp: '', externalIps: [] };
    cache.put('service', { ...named(bad('service', `l${at}`)), ...service, loadBalancerIp: text });
    cache.put('service', { ...named(bad('service', `e${at}`)), ...service, externalIps: [text], clusterIp: `10.96.3.${at + 1}` });
    cache.put('service', { ...named(bad('service', `k${at}`)), ...service, type: 'ClusterIP', clusterIp: text });
    cache.put('floatingip', { ...named(bad('floatingip', `a${at}`)), generation: 1, spec: { address: text, poolName: 'd:p:n:x' } });
    cache.put('floatingip', { ...named(bad('floatingip', `d${at}`)), generation: 1, spec: { direction: text, poolName: 'd:p:n:x' } });
  });
  for (const [field, values] of Object.entries({ subnets: ['10.0.0.0/24', [1], ['x'], ['10.0.0.1/24'], {}], routeTargets: [['target:0:1'], ['x'], 'target:1:1', [HUGE]], external: ['yes', 1], shared: ['no', {}] })) {
    values.forEach((value, at) => cache.put('virtualnetwork', { ...named(bad('virtualnetwork', `w-${field.toLowerCase()}-${at}`)), generation: 1, spec: { subnets: ['101.1.1.0/24'], [field]: value } }));
  }
  [{}, { network: 'none' }, { network: 7 }, { network: 'none', subnets: ['x'] }, { network: HUGE }].forEach((spec, at) => cache.put('floatingippool', { ...named(bad('floatingippool', `o${at}`)), generation: 1, spec }));
  [{}, { address: 'x' }, { address: '10.0.0.1', kind: 'switch' }, { address: '10.0.0.1', port: -1 }, { address: '10.0.0.1', autonomousSystem: 2 ** 40 }, { address: '10.0.0.1', holdTime: '90' }, { address: '10.0.0.1', peers: 'x' }]
    .forEach((spec, at) => {
      cache.put('bgprouter', { ...named(`b${at}`, {}, ''), generation: 1, spec });
      units.push(`bgprouter b${at}`);
    });
  cache.put('pod', { ...named('good'), node: 'compute-1', hostNetwork: false, finished: false, running: false });
  cache.put('nad', { ...named('good', { [ANNOTATIONS.cidr]: '102.1.1.0/24' }), plugin: 'contrail-k8s-cni' });
  await world.start();

  assert.ok(units.length >= 200, `${units.length} wrong objects`);
  for (const unit of units) {
    const [problem] = world.translator.problemsOf(unit);
    // A dictionary of a network has other keys than one of a pool.
    assert.ok(problem, `${unit} is refused`);
    assert.match(problem!.field, /^(metadata|spec)\./, unit);
    assert.match(problem!.rule, /^[A-Z][A-Za-z]+$/, unit);
    assert.ok(problem!.message.length > 10 && problem!.message.length < 900, `${unit}: ${problem!.message.length} characters`);
  }
  assert.ok(world.controller.get('virtual-machine', named('good').uid));
  assert.ok(world.controller.get('virtual-network', 'default-domain:k8s-default:k8s-good-pod-network'));
  assert.is([...world.controller.all('virtual-machine')].length, 1, 'no wrong pod has got anything');
  await world.close();
});

test.run();
