// Settings by Contrail's names from file, environment and flags; what is wrong is told with its source. Dictionaries in both quote styles.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseDictionary } from '../../../mgmt/kube-manager/config/literal.ts';
import { parseQualifiedName, POOL_KEYS } from '../../../mgmt/kube-manager/config/qualified-name.ts';
import { readSettings, SettingsError } from '../../../mgmt/kube-manager/config/settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'wrouter-kube-manager-'));
const file = join(folder, 'contrail-kubernetes.conf');
test.after(() => rmSync(folder, { recursive: true }));

const POOL = "{'domain': 'default-domain','name': 'pool-global-default','network': 'vn-global-default','project': 'k8s-ns-user-1'}";
const NEEDED = { CONFIG_NODES: '10.0.0.1', WROUTER_PKI: '/pki' };

function refusal(args: readonly string[], environment: Record<string, string>): string {
  try {
    readSettings(args, environment);
  } catch (error) {
    assert.instance(error, SettingsError);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

test('Contrail\'s file, its environment, and the defaults', () => {
  writeFileSync(file, `[DEFAULTS]\nhost_ip=10.169.25.19\nlog_level=SYS_DEBUG\n[KUBERNETES]\ncluster_name=prod\npod_subnets=10.16.0.0/12\n[VNC]\npublic_fip_pool=${POOL}\nvnc_endpoint_ip=10.0.0.1,10.0.0.2\nrabbit_server=10.0.0.1\n[AUTH]\nauth_user=admin\n`);
  const settings = readSettings(['--config', file, '--pki', '/pki'], { KUBERNETES_POD_SUBNETS: '10.48.0.0/12' });
  assert.is(settings.clusterName, 'prod');
  assert.equal(settings.podSubnets, ['10.48.0.0/12'], 'the environment goes before the file');
  assert.equal(settings.serviceSubnets, ['10.96.0.0/12']);
  assert.is(settings.publicPool, 'default-domain:k8s-ns-user-1:vn-global-default:pool-global-default');
  assert.equal(settings.controllers, ['10.0.0.1:8082', '10.0.0.2:8082']);
  assert.is(settings.logLevel, 'debug');
  assert.is(readSettings(['--cluster-name', 'flag'], { ...NEEDED, KUBERNETES_CLUSTER_NAME: 'environment' }).clusterName, 'flag');
});

test('what is wrong is told with where it stands, all of it at once', () => {
  writeFileSync(file, '[KUBERNETES]\npod_subnets=10.32.0.1/12\nservice_subnetz=1\n[VNC]\npublic_fip_pool={"domain": "d"}\n');
  const text = refusal(['--config', file], { ...NEEDED, KUBERNETES_CLUSTER_NAME: 'No Name' });
  assert.match(text, /line 2, pod_subnets: "10\.32\.0\.1\/12" is not a prefix/);
  assert.match(text, /line 3: unknown option service_subnetz/);
  assert.match(text, /line 5, public_fip_pool: key "project" is missing/);
  assert.match(text, /KUBERNETES_CLUSTER_NAME: "No Name" is not a cluster's name/);
  assert.match(refusal([], { ...NEEDED, KUBERNETES_SERVICE_SUBNETS: '10.40.0.0/16' }), /10\.40\.0\.0\/16 overlaps 10\.32\.0\.0\/12 of pod_subnets/);
  assert.match(refusal(['--config', join(folder, 'none')], NEEDED), /there is no such file/);
  assert.match(refusal(['--clustername', 'x'], NEEDED), /clustername/);
  assert.match(refusal([], {}), /which controller\?[\s\S]*which certificates\?/);
});

test('dictionaries: both quotes, escapes, a last comma; mistakes by their place', () => {
  assert.equal([...parseDictionary(`{'a': "b's", "c" : 'd"\\'e',}`)], [['a', 'b\'s'], ['c', 'd"\'e']]);
  assert.equal([...parseDictionary(' {} ')], []);
  for (const [text, what] of [['', '"\\{"'], ['{', 'a key in quotes'], ['{"a"}', '":"'], ['{"a": 1}', 'a text in quotes'], ['{"a": "b" "c": "d"}', '","'], ['{"a": "b"} x', 'the end'], ['{"a": "b}', 'a text'], ['{"a": "b", "a": "c"}', 'twice'], ['__import__("os")', '"\\{"']] as const) {
    assert.throws(() => parseDictionary(text), new RegExp(what), text);
  }
  assert.is(parseQualifiedName(POOL, POOL_KEYS), 'default-domain:k8s-ns-user-1:vn-global-default:pool-global-default');
  assert.throws(() => parseQualifiedName('{"domain":"a:b","project":"p","network":"n","name":"x"}', POOL_KEYS), /"a:b" is no domain/);
  assert.throws(() => parseQualifiedName('{"domain":"d","project":"p","network":"n","name":"x","y":"z"}', POOL_KEYS), /unknown key "y"/);
});

test.run();
