#!/usr/bin/env node
/** The CNI plugin in Node, for machines without a C compiler: the same as wrouter.c, which see. */
import { connect } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { NEWEST, versionAnswer } from '../agent/cni/versions.ts';

const NAMES = ['CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS', 'CNI_PATH'];
const path = process.env['WROUTER_CNI_SOCKET'] || '/run/wrouter/cni.sock';
const command = process.env['CNI_COMMAND'];

function end(output: string, code: number): void {
  process.exitCode = code;
  process.stdout.write(output);
}

function fail(details: string): void {
  end(`${JSON.stringify({ cniVersion: NEWEST, code: command === 'STATUS' ? 50 : 11, msg: 'the appliance\'s agent does not answer', details }, undefined, 2)}\n`, 1);
}

async function ask(): Promise<void> {
  const environment = NAMES.filter((name) => process.env[name] !== undefined).map((name) => `${name}=${process.env[name]}\0`).join('');
  const request = Buffer.concat([Buffer.from(`${environment}\0`), await buffer(process.stdin)]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(request.length);
  const socket = connect(path);
  socket.write(Buffer.concat([length, request]));
  const answer = (await buffer(socket)).toString();
  const line = answer.indexOf('\n');
  if (line === -1) fail(`hearing from ${path}: it hung up without an answer`);
  else end(answer.slice(line + 1), Number(answer.slice(0, line)));
}

if (command === 'VERSION') end(`${JSON.stringify(versionAnswer(NEWEST))}\n`, 0);
else await ask().catch((error: Error) => fail(error.message));
