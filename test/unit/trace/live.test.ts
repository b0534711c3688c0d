// What an appliance tells otherwise than the states: the steps that only one of both has, in their order.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { differencesOf, type Told } from '../../../mgmt/trace/live.ts';

const told = (...steps: [string, string][]): Told => ({ verdict: 'transmit', drop: '', steps: steps.map(([node, text]) => ({ depth: 1, node, text })) });
const WAY = told(['ip4-lookup', 'VRF 1: has no route'], ['nexthop', 'of next hop 9 by flow hash 0x1a2b'], ['ethernet-output', 'to 02:00:cb:00:71:fe (203.0.113.254)']);

test('neighbours\' MACs and the flow hash are everybody\'s own', () => {
  assert.equal(differencesOf(WAY, told(['ip4-lookup', 'VRF 1: has no route'], ['nexthop', 'of next hop 9 by flow hash 0xffff0000'], ['ethernet-output', 'to 3c:97:0e:11:22:33 (203.0.113.254)'])), []);
});

test('a step that differs is told from both sides, what both have is not', () => {
  assert.equal(differencesOf(WAY, told(['ip4-lookup', 'VRF 1: 8.8.8.8 matches 0.0.0.0/0'], ['nexthop', 'of next hop 9 by flow hash 0x1a2b'], ['neighbour', 'would wait'])), [
    { where: 'states', text: 'ip4-lookup  VRF 1: has no route' },
    { where: 'live', text: 'ip4-lookup  VRF 1: 8.8.8.8 matches 0.0.0.0/0' },
    { where: 'states', text: 'ethernet-output  to 02:00:cb:00:71:fe (203.0.113.254)' },
    { where: 'live', text: 'neighbour  would wait' },
  ]);
});

test('a way that ends earlier', () => {
  assert.equal(differencesOf(told(['a', '1'], ['b', '2'], ['c', '3']), told(['a', '1'])).map(({ where, text }) => `${where} ${text}`), ['states b  2', 'states c  3']);
});

test.run();
