// needs: linux
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deviceNames, parseDevices } from '../../../mgmt/agent/devices.ts';

test('names of /proc/net/dev: indented, with digits glued to the colon, aliases', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  123456     100    0    0    0     0          0         0   123456     100    0    0    0     0       0          0
tap12-a:1234567890 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0
eth0:1: 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
`;
  assert.equal([...parseDevices(text)], ['lo', 'tap12-a', 'eth0:1']);
});

test('this process sees its loopback; a process that is not there sees nothing', () => {
  assert.ok(deviceNames(process.pid)?.has('lo'));
  assert.is(deviceNames(2 ** 30), null);
});

test.run();
