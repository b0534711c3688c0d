/**
 * The wires: a veth pair per interface, one end in the pod's network namespace, the other one in the data plane's. The agent need be in
 * neither. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
 */
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { finishBeforeSending, readDevice } from '../../../firmware/linux/device.ts';
import { SystemCallError } from '../../../firmware/linux/errors.ts';
import { requireLibc, type Libc } from '../../../firmware/linux/libc.ts';
import { addAddress, addRoute, createVeth, deleteLink, listAddresses, listLinks, listRoutes, setUp } from '../../../firmware/linux/links.ts';
import { Netlink } from '../../../firmware/linux/netlink.ts';
import { isSameNamespace, namespaceOf, openNamespace, withinNamespace } from '../../../firmware/linux/network-namespace.ts';
import { FINISHED_ALIAS } from '../../../firmware/ports/checks.ts';
import type { PodInterface } from './attachments.ts';
import { CniError, CODE } from './errors.ts';

const { ENODEV, ENOENT, EINVAL } = constants.errno;
/** What stands in a pod. */
export interface Found { readonly mac: string; readonly up: boolean; readonly addresses: readonly string[]; readonly routes: readonly string[] }

/** A test gives its own. */
export interface Wiring {
  /** Makes an interface and its wire. @param owner the attachment, for people @throws CniError */
  make(netns: string, wanted: PodInterface, owner: string): Promise<void>;
  /** Takes a wire away by whichever end is to be found; nothing there is fine. @param netns '' = not known */
  remove(port: string, netns: string, name: string): Promise<void>;
  /** What there is of an interface in a pod; undefined: nothing of that name. @throws CniError when there is no such namespace */
  look(netns: string, name: string): Promise<Found | undefined>;
  /** Ends of wires of ours in the data plane's namespace, by device. */
  list(): Promise<string[]>;
}

export class KernelWiring implements Wiring {
  readonly #libc: Libc;
  readonly #dataplanePid: () => number;
  /** In the data plane's namespace. */
  #host: { readonly pid: number; readonly netlink: Netlink } | undefined;

  /** @param dataplanePid 0 while it is not known @throws where there is no Linux */
  constructor(dataplanePid: () => number) {
    this.#libc = requireLibc('a CNI socket');
    this.#dataplanePid = dataplanePid;
  }

  async make(netns: string, wanted: PodInterface, owner: string): Promise<void> {
    const libc = this.#libc;
    const host = this.#hostSocket();
    if (host === undefined) throw new CniError(CODE.tryAgain, 'the data plane is away', 'it is not known which network namespace it is in');
    if (isSameNamespace(this.#requireNamespace(netns), namespaceOf(this.#dataplanePid()))) throw new CniError(CODE.invalidEnvironment, 'CNI_NETNS is invalid', `${netns} is the data plane's own network namespace: a pod in it needs no interface`);
    const { name, port, mac, mtu, addresses, defaultRoute } = wanted;
    const inPod = withinNamespace(libc, netns, () => {
      if (readDevice(libc, name) !== undefined) throw new CniError(CODE.invalidEnvironment, 'CNI_IFNAME is invalid', `${netns} has a device ${name} already, which is none of ours`);
      return new Netlink(libc);
    });
    try {
      await deleteIfThere(host, port); // left behind by an ADD that did not come to its end
      const namespace = openNamespace(libc, netns);
      try {
        await createVeth(host, { name: port, alias: FINISHED_ALIAS + owner, mtu, peer: { name, namespace, mac } });
      } finally {
        libc.close(namespace);
      }
      const index = withinNamespace(libc, netns, () => {
        finishBeforeSending(libc, name);
        return readDevice(libc, name)!.index;
      });
      for (const { address } of addresses) {
        const [ip = '', length] = address.split('/');
        await addAddress(inPod, index, ip, Number(length));
      }
      await setUp(inPod, name);
      const gateway = addresses[0]?.gateway ?? '';
      if (defaultRoute && gateway !== '') await addRoute(inPod, index, '0.0.0.0', 0, gateway);
    } catch (error) {
      throw error instanceof CniError ? error : new CniError(CODE.internal, `the interface ${name} cannot be made`, (error as Error).message);
    } finally {
      inPod.close();
    }
  }

  async remove(port: string, netns: string, name: string): Promise<void> {
    const host = this.#hostSocket();
    if (host !== undefined) return deleteIfThere(host, port);
    // Without its namespace a wire is gone by itself.
    if (netns === '' || !existsSync(netns)) return;
    const inPod = withinNamespace(this.#libc, netns, () => new Netlink(this.#libc));
    try {
      await deleteIfThere(inPod, name);
    } finally {
      inPod.close();
    }
  }

  async look(netns: string, name: string): Promise<Found | undefined> {
    const libc = this.#libc;
    const { device, inPod } = withinNamespace(libc, this.#requireNamespace(netns), () => ({ device: readDevice(libc, name), inPod: new Netlink(libc) }));
    try {
      if (device === undefined) return undefined;
      const { mac, up, index } = device;
      return { mac, up, addresses: await listAddresses(inPod, index), routes: await listRoutes(inPod, index) };
    } finally {
      inPod.close();
    }
  }

  async list(): Promise<string[]> {
    const host = this.#hostSocket();
    if (host === undefined) return [];
    return (await listLinks(host)).filter(({ alias }) => alias.startsWith(FINISHED_ALIAS)).map(({ name }) => name);
  }

  #requireNamespace(netns: string): string {
    if (!existsSync(netns)) throw new CniError(CODE.unknownContainer, 'the container does not exist', `CNI_NETNS: there is no network namespace ${netns}`);
    return netns;
  }

  /** Kept while the data plane is the same process, and after its end: its namespace stays what it was until another one comes. */
  #hostSocket(): Netlink | undefined {
    const pid = this.#dataplanePid();
    if (pid === 0 || pid === this.#host?.pid) return this.#host?.netlink;
    try {
      const netlink = withinNamespace(this.#libc, namespaceOf(pid), () => new Netlink(this.#libc));
      this.#host?.netlink.close();
      this.#host = { pid, netlink };
    } catch (error) {
      if (!(error instanceof SystemCallError) || ![ENOENT, EINVAL].includes(error.errno)) throw error; // it ended this moment
    }
    return this.#host?.netlink;
  }
}

async function deleteIfThere(netlink: Netlink, name: string): Promise<void> {
  await deleteLink(netlink, name).catch((error: unknown) => {
    if (!(error instanceof SystemCallError) || error.errno !== ENODEV) throw error;
  });
}
