// The store in etcd keeps what every store must. (What several controllers make of it: two-controllers.test.ts.)
// needs: etcd
// limit: 120 s
import { conformance } from '../../unit/controller/store-conformance.ts';
import { TestEtcd } from './etcd.ts';

const etcd = await TestEtcd.start();
process.on('exit', () => etcd.abandon());
conformance('etcd', async () => {
  await etcd.wipe();
  return { open: () => etcd.open(), remove: () => undefined };
});
