import { toQuernError } from '@quern/contract';
import { Lifecycle } from './lifecycle.ts';
import type { Logger } from './logger.ts';

export interface ProcessOptions {
  readonly logger: Logger;
  /** Closing may take this long before the process exits anyway. */
  readonly shutdownTimeoutMs: number;
  /** Opens the process's parts, deferring each one's close. */
  readonly start: (lifecycle: Lifecycle) => Promise<void>;
}

/**
 * Runs a process from birth to death: starts it, closes it on SIGINT, SIGTERM or the loss of a parent
 * that forked it, and exits: 0 after a clean stop, 1 if starting or stopping failed, at once on a
 * second signal. Only a `main.ts` calls this.
 */
export async function runProcess(options: ProcessOptions): Promise<void> {
  const { logger } = options;
  const lifecycle = new Lifecycle(logger);
  let isStopping = false;

  async function stop(reason: string, exitCode: number): Promise<void> {
    if (isStopping) {
      logger.warn(`Second stop (${reason}): exiting at once`);
      process.exit(1);
    }
    isStopping = true;
    logger.info(`Stopping: ${reason}`);
    const deadline = setTimeout(() => {
      logger.error(`Stopping took longer than ${options.shutdownTimeoutMs} ms: exiting`);
      process.exit(1);
    }, options.shutdownTimeoutMs);
    deadline.unref();
    await lifecycle.close().then(
      () => process.exit(exitCode),
      () => process.exit(1),
    );
  }

  process.on('SIGINT', () => void stop('SIGINT', 0));
  process.on('SIGTERM', () => void stop('SIGTERM', 0));
  process.on('disconnect', () => void stop('the parent process is gone', 0));
  process.on('uncaughtException', (error) => {
    logger.fatal({ err: error }, 'Uncaught exception');
    void stop('uncaught exception', 1);
  });
  try {
    await options.start(lifecycle);
    // A parent that was gone before the listener above was there.
    if (process.connected === false) await stop('the parent process is gone', 0);
  } catch (error) {
    // What fails because it is being closed is no news.
    if (isStopping) return;
    // A setting or a missing service is the operator's business: the message is enough.
    const { code, message } = toQuernError(error);
    logger.fatal(code === 'INTERNAL' ? { err: error } : { code }, message);
    await stop('it could not start', 1);
  }
}
