/**
 * Program: makes a TCP listener where it is started (a network namespace, a VRF) and hands it to its parent, which is elsewhere.
 *
 *   LAUNCHER… node listen.ts ADDRESS       with an IPC channel
 */
import { createServer } from 'node:net';

const [, , address] = process.argv;
const server = createServer().listen(0, address, () => {
  process.send!('listening', server, undefined, () => process.exit());
});
server.on('error', ({ message }) => {
  console.error(message);
  process.exit(1);
});
