/** Child of the controller group: compiles all that a store holds from scratch, with its numbers; says what it took.  node compile.ts FILE */
import { Compiler } from '../../../mgmt/controller/compile/compiler.ts';
import { decodeObjects } from '../../../mgmt/controller/model/codec.ts';
import { Objects } from '../../../mgmt/controller/model/objects.ts';
import type { Change } from '../../../mgmt/controller/model/transaction.ts';
import { Numbering } from '../../../mgmt/controller/routing/numbering.ts';
import { SqliteStore } from '../../../mgmt/controller/store/sqlite.ts';

/** What it prints, as JSON. */
export interface Compiled { readonly seconds: number; readonly routes: number; readonly nexthops: number; readonly vrfs: number }

const store = new SqliteStore(process.argv[2]!);
const [objects, numbering] = [new Objects(), new Numbering()];
for (const object of decodeObjects(store.objects())) objects.put(object);
numbering.restore(store.numbers(), store.slots());
const changes: Change[] = (['virtual-router', 'virtual-network', 'virtual-machine-interface', 'route-table'] as const)
  .flatMap((kind) => Array.from(objects.all(kind), (object) => ({ kind, name: object.name, before: undefined, after: object })));
const compiler = new Compiler(objects, numbering);
const started = performance.now();
compiler.apply(changes, store.version);
const seconds = (performance.now() - started) / 1000;
const appliances = [...compiler.appliances.values()];
const sum = (of: (appliance: (typeof appliances)[number]) => number): number => appliances.reduce((total, each) => total + of(each), 0);
const compiled: Compiled = {
  seconds, nexthops: sum(({ nexthops }) => nexthops.size), vrfs: sum(({ vrfs }) => vrfs.size),
  routes: sum(({ instances }) => [...instances.values()].reduce((total, { size }) => total + size, 0)),
};
process.stdout.write(JSON.stringify(compiled));
store.close();
