/** Logs of the dataplane: JSON lines on stderr. */
import { pino, destination, type Logger } from 'pino';

export type { Logger };

export function createLog(name: string): Logger {
  const level = process.env['WROUTER_LOG_LEVEL'] ?? 'info';
  return pino({ level, base: { process: 'dataplane', appliance: name }, timestamp: () => `,"time":"${new Date().toISOString()}"` }, destination({ fd: 2, sync: true }));
}
