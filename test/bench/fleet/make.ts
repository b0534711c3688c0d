/** Child of fleet.ts: makes a store with a fleet's objects, in one transaction.  node make.ts FILE APPLIANCES GATEWAYS */
import { Engine } from '../../../mgmt/controller/engine.ts';
import { SqliteStore } from '../../../mgmt/controller/store/sqlite.ts';
import { put } from '../../unit/controller/objects.ts';
import { fleetObjects } from './objects.ts';

const [file = '', appliances, gateways] = process.argv.slice(2);
const store = new SqliteStore(file);
const engine = await Engine.open(store);
await engine.commit([...fleetObjects({ appliances: Number(appliances), gateways: Number(gateways) })].flat().map(put));
store.close();
