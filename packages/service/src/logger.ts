import { type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

export type { Logger } from 'pino';

export interface LoggerOptions {
  /** The process: `api`, `worker`, ... */
  readonly name: string;
  readonly level: string;
  /** Lines for people instead of JSON. */
  readonly pretty: boolean;
}

/** The process's logger: JSON lines on standard output, or readable ones on a terminal. */
export function createLogger(options: LoggerOptions): Logger {
  const settings = { name: options.name, level: options.level };
  if (!options.pretty) return pino({ ...settings, base: { pid: process.pid } });
  const stream = pretty({
    colorize: true,
    ignore: 'pid,hostname',
    translateTime: 'SYS:HH:MM:ss.l',
    sync: true,
  });
  return pino(settings, stream);
}
