import { QuernError } from '@quern/contract';
import { createLogger, runProcess } from '@quern/service';

/** A process that does what `argv` says, to see how it dies. */
const [behaviour = ''] = process.argv.slice(2);
const logger = createLogger({ name: 'test', level: 'info', pretty: false });
const say = (text: string): void => console.log(text);

await runProcess({
  logger,
  shutdownTimeoutMs: behaviour === 'stuck-and-timed' ? 200 : 600_000,
  start: async (lifecycle) => {
    lifecycle.defer('first', () => say('closed first'));
    if (behaviour === 'bad-setting') throw new QuernError('CONFIG_INVALID', 'Port 1 is in use.');
    if (behaviour === 'bug') throw new TypeError('x is not a function');
    lifecycle.defer('second', async () => {
      say('closing second');
      if (behaviour.startsWith('stuck')) await new Promise(() => {});
      if (behaviour === 'cannot-close') throw new Error('cannot');
    });
    setInterval(() => {}, 1000);
    if (behaviour === 'throws-later')
      setImmediate(() => {
        throw new Error('unforeseen');
      });
    if (behaviour === 'rejects-later') void Promise.reject(new Error('unforeseen'));
    say('started');
    if (behaviour === 'starts-for-long') {
      // What it waits for fails because it is closed, as a connection does.
      await new Promise((_resolve, reject) =>
        lifecycle.defer('connection', () => reject(new Error('closed'))),
      );
    }
  },
});
