/** What kube-manager is told: flags before environment before file before defaults, checked as one, with Contrail's names. */
import { existsSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { contains, isNetwork, parsePrefix } from '../../controller/model/address.ts';
import { parseIni, type Ini } from './ini.ts';
import { FOREIGN_NAMES, FOREIGN_SECTIONS, IGNORED, OPTIONS, type OptionName } from './options.ts';
import { parseDictionary } from './literal.ts';
import { parseQualifiedName, POOL_KEYS } from './qualified-name.ts';

export const CONFIG_FILE = '/etc/contrail/contrail-kubernetes.conf';

/** What the translation needs to know. */
export interface ClusterSettings {
  readonly domain: string;
  readonly clusterName: string;
  readonly podSubnets: readonly string[];
  readonly serviceSubnets: readonly string[];
  readonly fabricSubnets: readonly string[];
  /** Full name of the pool of the whole cluster; undefined: there is none. */
  readonly publicPool: string | undefined;
}

export interface Settings extends ClusterSettings {
  readonly logLevel: string;
  readonly http: { readonly host: string; readonly port: number };
  readonly kubernetes: { readonly kubeconfig: string; readonly server: string; readonly token: string; readonly tokenFile: string; readonly ca: string };
  /** host:port of each controller's config API. */
  readonly controllers: readonly string[];
  readonly pki: string;
  readonly identity: string;
  readonly leaseNamespace: string;
  readonly replica: string;
}

/** Why kube-manager does not start: every wrong setting with its source. */
export class SettingsError extends Error {}

/** Contrail's levels, and ours. */
const LEVELS: Readonly<Record<string, string>> = { SYS_EMERG: 'fatal', SYS_ALERT: 'fatal', SYS_CRIT: 'fatal', SYS_ERR: 'error', SYS_WARN: 'warn', SYS_NOTICE: 'info', SYS_INFO: 'info', SYS_DEBUG: 'debug' };
const OURS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
/** Begins names of projects and networks, which have 127 characters. */
const CLUSTER_NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

interface Given { readonly value: string; readonly source: string }

/**
 * The settings out of flags, environment and file.
 *
 * @param args the command line's arguments. `--config FILE` names the file, which then must be there.
 * @throws {SettingsError} with all that is wrong.
 */
export function readSettings(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Settings {
  const flags = Object.fromEntries([...OPTIONS.map(({ name }) => [name.replaceAll('_', '-'), { type: 'string' as const }]), ['config', { type: 'string' as const }]]);
  let values: Readonly<Record<string, unknown>>;
  try {
    ({ values } = parseArgs({ args: [...args], options: flags, strict: true }));
  } catch (error) {
    throw new SettingsError((error as Error).message);
  }
  const file = typeof values['config'] === 'string' ? values['config'] : undefined;
  const wrong: string[] = [];
  const ini = readFile(file ?? CONFIG_FILE, file !== undefined, wrong);
  const given = new Map<OptionName, Given>();
  for (const { name, section, variable, standard } of OPTIONS) {
    const flag = values[name.replaceAll('_', '-')];
    const said = environment[variable];
    const line = ini.get(`${section}.${name}`) ?? ini.get(`DEFAULTS.${name}`);
    given.set(name,
      typeof flag === 'string' ? { value: flag, source: `--${name.replaceAll('_', '-')}` }
      : said !== undefined && said !== '' ? { value: said, source: variable }
      : line ? { value: line.value, source: `${file ?? CONFIG_FILE}, line ${line.line}, ${name}` }
      : { value: standard, source: name });
  }
  const settings = checked(given, wrong);
  if (wrong.length > 0) throw new SettingsError(wrong.join('\n'));
  return settings;
}

function readFile(path: string, required: boolean, wrong: string[]): Ini {
  if (!existsSync(path)) {
    if (required) wrong.push(`--config ${path}: there is no such file`);
    return new Map();
  }
  let ini: Ini;
  try {
    ini = parseIni(readFileSync(path, 'utf8'));
  } catch (error) {
    wrong.push(`${path}, ${(error as Error).message}`);
    return new Map();
  }
  const known = new Set<string>(OPTIONS.map(({ name }) => name));
  for (const [key, { line }] of ini) {
    const [section, name] = [key.slice(0, key.indexOf('.')), key.slice(key.indexOf('.') + 1)];
    if (!known.has(name) && !IGNORED.has(name) && !FOREIGN_SECTIONS.includes(section) && !FOREIGN_NAMES.test(name)) wrong.push(`${path}, line ${line}: unknown option ${name} in [${section}]`);
  }
  return ini;
}

function checked(given: ReadonlyMap<OptionName, Given>, wrong: string[]): Settings {
  const value = (name: OptionName): string => given.get(name)!.value.trim();
  const report = (name: OptionName, what: string): void => { wrong.push(`${given.get(name)!.source}: ${what}`); };
  const port = (name: OptionName): number => {
    const number = Number(value(name));
    if (!/^\d+$/.test(value(name)) || number > 65535) report(name, `${JSON.stringify(value(name))} is no TCP port`);
    return number;
  };
  const subnets = (name: OptionName): string[] => {
    const prefixes = value(name).split(/[\s,]+/).filter((each) => each !== '');
    if (prefixes.length === 0) report(name, 'is empty; give prefixes like 10.32.0.0/12, by commas');
    for (const each of prefixes) {
      const prefix = parsePrefix(each);
      if (!prefix || !isNetwork(prefix) || prefix.length < 8 || prefix.length > 30) report(name, `${JSON.stringify(each)} is not a prefix like 10.32.0.0/12: /8 to /30, zero beyond its length`);
    }
    return prefixes;
  };

  const clusterName = value('cluster_name');
  if (!CLUSTER_NAME.test(clusterName)) report('cluster_name', `${JSON.stringify(clusterName)} is not a cluster's name: 1 to 32 of a-z, 0-9 and "-", letters or digits at both ends`);
  const domain = value('kubernetes_cluster_domain');
  if (!/^[^\s:/]{1,127}$/.test(domain)) report('kubernetes_cluster_domain', `${JSON.stringify(domain)} is not a domain: 1 to 127 characters without blanks, "/" and ":"`);
  const [podSubnets, serviceSubnets, fabricSubnets] = [subnets('pod_subnets'), subnets('service_subnets'), subnets('ip_fabric_subnets')];
  disjoint([['pod_subnets', podSubnets], ['service_subnets', serviceSubnets], ['ip_fabric_subnets', fabricSubnets]], report);

  const level = value('log_level');
  const logLevel = LEVELS[level.toUpperCase()] ?? level.toLowerCase();
  if (!OURS.includes(logLevel)) report('log_level', `${JSON.stringify(level)} is none of ${OURS.join(', ')}`);
  const controllers = value('vnc_endpoint_ip').split(/[\s,]+/).filter((each) => each !== '').map((each) => (/:\d+$/.test(each) ? each : `${each}:${port('vnc_endpoint_port')}`));
  if (controllers.length === 0) report('vnc_endpoint_ip', 'which controller? give its host, or several by commas');
  if (value('pki') === '') report('pki', 'which certificates? give the folder with ca.crt, NAME.crt and NAME.key');
  const server = value('kubernetes_api_server');
  return {
    domain, clusterName, podSubnets, serviceSubnets, fabricSubnets, publicPool: publicPool(value('public_fip_pool'), report), logLevel,
    http: { host: value('http_server_ip'), port: port('http_server_port') },
    kubernetes: { kubeconfig: value('kubeconfig'), server: server && `https://${server}:${port('kubernetes_api_secure_port')}`, token: value('token'), tokenFile: value('token_file'), ca: value('kubernetes_ca') },
    controllers, pki: value('pki'), identity: value('identity'), leaseNamespace: value('lease_namespace'), replica: value('replica'),
  };
}

/** Contrail writes {} for none. */
function publicPool(text: string, report: (name: OptionName, what: string) => void): string | undefined {
  if (text === '') return undefined;
  try {
    return parseDictionary(text).size === 0 ? undefined : parseQualifiedName(text, POOL_KEYS);
  } catch (error) {
    report('public_fip_pool', (error as Error).message);
    return undefined;
  }
}

function disjoint(all: readonly (readonly [OptionName, readonly string[]])[], report: (name: OptionName, what: string) => void): void {
  const prefixes = all.flatMap(([name, texts]) => texts.flatMap((text) => {
    const prefix = parsePrefix(text);
    return prefix ? [{ name, text, prefix }] : [];
  }));
  prefixes.forEach((one, at) => {
    const other = prefixes.slice(0, at).find(({ prefix }) => contains(prefix, one.prefix.address) || contains(one.prefix, prefix.address));
    if (other) report(one.name, `${one.text} overlaps ${other.text} of ${other.name}; pods, services and the underlay have prefixes of their own`);
  });
}
