/**
 * A web server as small as it gets, and who asks it; for a host of the lab.
 *
 *   web.ts serve NAME PORT…     says {"name", "from"} to everyone; prints a line when it listens on all ports
 *   web.ts get URL COUNT [MS]   asks COUNT times, each time by a new connection, and prints the answers as a JSON list; null for none within MS
 */
import { once } from 'node:events';
import { Agent, createServer, get } from 'node:http';
import { json } from 'node:stream/consumers';

/** From whom the server says it is, and whom it saw. */
export interface Answer { name: string; from: string }

async function serve(name: string, ports: number[]): Promise<void> {
  for (const port of ports) {
    const server = createServer((request, response) => {
      const answer: Answer = { name, from: request.socket.remoteAddress ?? '' };
      response.writeHead(200, { 'content-type': 'application/json', connection: 'close' }).end(`${JSON.stringify(answer)}\n`);
    });
    await once(server.listen(port, '0.0.0.0'), 'listening');
  }
  console.log('listening');
}

function ask(url: string, milliseconds: number): Promise<Answer | null> {
  return new Promise((resolve) => {
    const request = get(url, { agent: new Agent({ keepAlive: false }), signal: AbortSignal.timeout(milliseconds) }, (response) => {
      (json(response) as Promise<Answer>).then(resolve, () => resolve(null));
    });
    request.on('error', () => resolve(null));
  });
}

const [what, first = '', ...rest] = process.argv.slice(2);
if (what === 'serve') await serve(first, rest.map(Number));
else if (what === 'get') {
  const [count = 1, milliseconds = 2000] = rest.map(Number);
  const answers: (Answer | null)[] = [];
  while (answers.length < count) answers.push(await ask(first, milliseconds));
  console.log(JSON.stringify(answers));
} else throw new Error(`usage: web.ts serve NAME PORT… | get URL COUNT [MS]; not ${what}`);
