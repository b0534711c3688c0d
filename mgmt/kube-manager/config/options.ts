/** Every setting: where Contrail has it in its file and environment, and what we say of it. One table for file, environment, flags and docs. */

export interface Option {
  /** As in Contrail's file, and with dashes as a flag. */
  readonly name: string;
  /** Section of the file. */
  readonly section: 'DEFAULTS' | 'KUBERNETES' | 'VNC' | 'WROUTER';
  readonly variable: string;
  readonly standard: string;
  readonly help: string;
}

const option = (section: Option['section'], name: string, variable: string, standard: string, help: string): Option => ({ name, section, variable, standard, help });

export const OPTIONS = [
  option('DEFAULTS', 'log_level', 'LOG_LEVEL', 'info', 'trace, debug, info, warn, error; Contrail\'s SYS_INFO and the like are taken too'),
  option('DEFAULTS', 'http_server_ip', 'KUBEMANAGER_HTTP_SERVER_IP', '127.0.0.1', 'address that metrics and health are served at'),
  option('DEFAULTS', 'http_server_port', 'KUBEMANAGER_HTTP_SERVER_PORT', '8108', 'port of metrics and health; 0: any'),
  option('KUBERNETES', 'kubernetes_api_server', 'KUBERNETES_API_SERVER', '', 'host of the API server; empty: as the kubeconfig or the pod\'s service account says'),
  option('KUBERNETES', 'kubernetes_api_secure_port', 'KUBERNETES_API_SECURE_PORT', '6443', 'its TLS port'),
  option('KUBERNETES', 'kubeconfig', 'KUBECONFIG', '', 'kubeconfig file; empty: the pod\'s service account'),
  option('KUBERNETES', 'token', 'K8S_TOKEN', '', 'bearer token for kubernetes_api_server'),
  option('KUBERNETES', 'token_file', 'K8S_TOKEN_FILE', '', 'the same in a file, read again when it changes'),
  option('KUBERNETES', 'kubernetes_ca', 'KUBERNETES_CA', '', 'root certificate (PEM file) that the API server\'s is checked against'),
  option('KUBERNETES', 'kubernetes_cluster_domain', 'KUBERNETES_CLUSTER_DOMAIN', 'default-domain', 'domain of the projects'),
  option('KUBERNETES', 'cluster_name', 'KUBERNETES_CLUSTER_NAME', 'k8s', 'begins the names of everything; once used it stays'),
  option('KUBERNETES', 'pod_subnets', 'KUBERNETES_POD_SUBNETS', '10.32.0.0/12', 'prefixes of pods, by commas'),
  option('KUBERNETES', 'ip_fabric_subnets', 'KUBERNETES_IP_FABRIC_SUBNETS', '10.64.0.0/12', 'prefixes of the underlay network\'s own workloads'),
  option('KUBERNETES', 'service_subnets', 'KUBERNETES_SERVICE_SUBNETS', '10.96.0.0/12', 'prefixes of ClusterIPs: the API server\'s --service-cluster-ip-range lies within'),
  option('VNC', 'public_fip_pool', 'KUBERNETES_PUBLIC_FIP_POOL', '', 'floating-IP pool of the whole cluster: {"domain": …, "project": …, "network": …, "name": …}'),
  option('VNC', 'vnc_endpoint_ip', 'CONFIG_NODES', '', 'hosts of controllers, by commas'),
  option('VNC', 'vnc_endpoint_port', 'CONFIG_API_PORT', '8082', 'port of their config API'),
  option('WROUTER', 'pki', 'WROUTER_PKI', '', 'folder with ca.crt, NAME.crt and NAME.key towards controllers'),
  option('WROUTER', 'identity', 'WROUTER_IDENTITY', 'kube-manager', 'NAME of that certificate, of role cloud-admin'),
  option('WROUTER', 'lease_namespace', 'WROUTER_LEASE_NAMESPACE', 'kube-system', 'namespace of the Lease that one of several replicas holds'),
  option('WROUTER', 'replica', 'HOSTNAME', 'kube-manager', 'what this replica calls itself in the Lease'),
] as const satisfies readonly Option[];

export type OptionName = (typeof OPTIONS)[number]['name'];
/** Contrail's options that mean nothing here: taken without a word, so that its files can be used as they are. */
export const IGNORED: ReadonlySet<string> = new Set([
  'host_ip', 'orchestrator', 'log_file', 'log_local', 'nested_mode', 'kubernetes_api_port', 'ip_fabric_forwarding', 'ip_fabric_snat', 'host_network_service', 'cluster_project', 'cluster_network',
  'cluster_pod_network', 'cluster_service_network', 'kube_timer_interval', 'secure_project', 'global_tags', 'aps_name', 'collectors', 'worker_id', 'apply_nested', 'introspect_ssl_enable', 'introspect_ssl_insecure',
]);
/** Sections of parts that do not exist here: a message bus, a database, a login. */
export const FOREIGN_SECTIONS = ['AUTH', 'SANDESH'];
export const FOREIGN_NAMES = /^(rabbit|cassandra|zk|kafka|auth|sandesh)_/;
