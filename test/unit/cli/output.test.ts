import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { count, list, rate, table } from '../../../mgmt/cli/output.ts';
import { balance } from '../../../mgmt/cli/commands/counters.ts';
import { columnsOf } from '../../../mgmt/cli/commands/tables.ts';
import { ratesOf } from '../../../mgmt/cli/commands/interfaces.ts';
import type { CountersReply } from '../../../proto/dataplane.ts';

test('a table: numbers flush right and in thousands, empty columns left out', () => {
  const text = table([{ key: 'id', number: true }, { key: 'name' }, { key: 'nothing' }, { key: 'rx', title: 'RX PACKETS', number: true }],
    [{ id: 1, name: 'pod-1', rx: 1234567 }, { id: 12, name: 'fabric' }], 'none');
  assert.is(text, 'ID  NAME    RX PACKETS\n 1  pod-1    1 234 567\n12  fabric');
  assert.is(table([{ key: 'id' }], [], 'no routes'), 'no routes');
});

test('names and values below each other', () => {
  assert.is(list([['kind', 'compute'], ['problem', ''], ['version', 7]]), 'kind     compute\nversion  7');
});

test('numbers for eyes', () => {
  assert.equal([0, 999, 1000, 1234567, 0.25].map(count), ['0', '999', '1 000', '1 234 567', '0.3']);
  assert.equal([0, 9999, 12_345, 3_456_789, 2.5e9].map(rate), ['0', '9999', '12.35 k', '3.46 M', '2.50 G']);
});

test('rates are per second of the data plane, not of the terminal', () => {
  const counters = { id: 1, name: 'pod-1', rxPackets: 100, rxBytes: 1000, txPackets: 0, txBytes: 0, drops: 1 };
  assert.equal(ratesOf({ ...counters, rxPackets: 300, rxBytes: 13_500, drops: 2 }, counters, 2), { 'rx-pps': 100, 'rx-bit/s': 50_000, 'tx-pps': 0, 'tx-bit/s': 0, 'drops/s': 0.5 });
});

test('the balance of counters, and what is on the way', () => {
  const counters = { received: 1000, originated: 5, transmitted: 900, dropped: 100, held: 5 } as CountersReply;
  assert.is(balance(counters), '1 000 received + 5 originated = 900 transmitted + 100 dropped + 5 held');
  assert.match(balance({ ...counters, received: 1003 }), /\(3 on the way\)$/);
});

test('columns that a later data plane has come after the known ones', () => {
  assert.equal(columnsOf('label', [{ label: '16', nexthop: '3', colour: 'red' }]).map(({ key }) => key), ['label', 'nexthop', 'kind', 'text', 'colour']);
});

test.run();
