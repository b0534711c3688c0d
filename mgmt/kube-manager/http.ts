/** /healthz: it lives. /readyz: everything is read, and written but for what is refused. /metrics: for Prometheus. */
import http, { type Server } from 'node:http';

/** @returns the server, listening; port 0: any. */
export function serveHttp(host: string, port: number, answers: { readonly ready: () => boolean; readonly metrics: () => string }): Promise<Server> {
  const server = http.createServer(({ url }, response) => {
    const answer = (code: number, text: string, type = 'text/plain'): void => { response.writeHead(code, { 'content-type': type }).end(text); };
    if (url === '/healthz') answer(200, 'ok\n');
    else if (url === '/readyz') answer(answers.ready() ? 200 : 503, answers.ready() ? 'ok\n' : 'not in sync\n');
    else if (url === '/metrics') answer(200, answers.metrics(), 'text/plain; version=0.0.4');
    else answer(404, 'there are /healthz, /readyz and /metrics\n');
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => resolve(server));
  });
}
