/** gRPC's health service, asked as a load balancer does. */
import { service } from 'grpc-health-check';
import * as grpc from '@grpc/grpc-js';
import { CHANNEL_OPTIONS } from '../../../proto/load.ts';

const ANSWER_MS = 1000;

/** Whether the server at `address` says SERVING for the whole of it. */
export async function healthOf(address: string, credentials: grpc.ChannelCredentials): Promise<boolean> {
  const client = new (grpc.makeClientConstructor(service, 'Health'))(address, credentials, CHANNEL_OPTIONS);
  try {
    return await new Promise<boolean>((resolve) => {
      client['check']!({ service: '' }, { deadline: Date.now() + ANSWER_MS }, (_: unknown, reply: { status?: string } | undefined) => resolve(reply?.status === 'SERVING'));
    });
  } finally {
    client.close();
  }
}
