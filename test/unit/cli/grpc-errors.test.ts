import { Metadata, status } from '@grpc/grpc-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { refusalText } from '../../../mgmt/cli/grpc-errors.ts';
import { codecOf } from '../../../proto/load.ts';

/** The trailer as the controller sends it. */
function detailed(type: string, message: object): Metadata {
  const value = codecOf<object>('google/rpc/error_details.proto', `google.rpc.${type}`).encode(message);
  const metadata = new Metadata();
  metadata.set('grpc-status-details-bin', codecOf<object>('google/rpc/status.proto', 'google.rpc.Status').encode({ code: 3, message: 'refused', details: [{ type_url: `type.googleapis.com/google.rpc.${type}`, value }] }));
  return metadata;
}
const failure = (code: status, details: string, metadata = new Metadata()): Error => Object.assign(new Error(details), { code, details, metadata });

test('each violation of a BadRequest is a line: where, what, which rule', () => {
  const metadata = detailed('BadRequest', { fieldViolations: [
    { field: 'operations[0].virtual_network.subnets[0].gateway', description: '10.10.0.1 lies outside of 10.9.0.0/16', reason: 'GATEWAY_OUTSIDE_SUBNET' },
    { field: 'operations[1].name', description: 'must have two parts', reason: '' },
  ] });
  assert.is(refusalText(failure(status.INVALID_ARGUMENT, 'two violations', metadata)), `refused:
  operations[0].virtual_network.subnets[0].gateway: 10.10.0.1 lies outside of 10.9.0.0/16 (GATEWAY_OUTSIDE_SUBNET)
  operations[1].name: must have two parts`);
});

test('so is each of a PreconditionFailure: who is in the way', () => {
  const metadata = detailed('PreconditionFailure', { violations: [{ type: 'IN_USE', subject: 'virtual-network a:b:c', description: 'instance-ip pod-1-ip uses it' }] });
  assert.is(refusalText(failure(status.FAILED_PRECONDITION, 'in use', metadata)), 'refused:\n  virtual-network a:b:c: instance-ip pod-1-ip uses it (IN_USE)');
});

test('without details the text alone; what cannot be reached says so; an error of our own is its message', () => {
  assert.is(refusalText(failure(status.NOT_FOUND, 'no interface "x"')), 'no interface "x"');
  assert.is(refusalText(failure(status.UNAVAILABLE, 'connect ECONNREFUSED')), 'it cannot be reached: connect ECONNREFUSED');
  assert.is(refusalText(new Error('EACCES: seen.pcap')), 'EACCES: seen.pcap');
});

test.run();
