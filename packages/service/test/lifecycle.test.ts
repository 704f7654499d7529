import { describe, expect, test } from 'vitest';
import { createLogger, Lifecycle } from '../src/index.ts';

const logger = createLogger({ name: 'test', level: 'silent', pretty: false });

describe('a lifecycle', () => {
  test('closes in reverse order, one after the other', async () => {
    const lifecycle = new Lifecycle(logger);
    const events: string[] = [];
    for (const name of ['redis', 'queue', 'server']) {
      lifecycle.defer(name, async () => {
        events.push(`${name} closing`);
        await new Promise((resolve) => setImmediate(resolve));
        events.push(`${name} closed`);
      });
    }
    await lifecycle.close();
    expect(events).toEqual([
      'server closing',
      'server closed',
      'queue closing',
      'queue closed',
      'redis closing',
      'redis closed',
    ]);
  });

  test('closes once, however often it is asked', async () => {
    const lifecycle = new Lifecycle(logger);
    let closed = 0;
    lifecycle.defer('it', () => {
      closed += 1;
    });
    await Promise.all([lifecycle.close(), lifecycle.close()]);
    await lifecycle.close();
    expect(closed).toBe(1);
  });

  test('attempts every step, also after some failed, and then says which', async () => {
    const lifecycle = new Lifecycle(logger);
    const attempted: string[] = [];
    for (const name of ['a', 'b', 'c', 'd']) {
      lifecycle.defer(name, () => {
        attempted.push(name);
        if (name === 'b') throw new Error('b failed');
        if (name === 'c') return Promise.reject(new Error('c failed'));
        return undefined;
      });
    }
    await expect(lifecycle.close()).rejects.toMatchObject({
      errors: [new Error('c failed'), new Error('b failed')],
    });
    expect(attempted).toEqual(['d', 'c', 'b', 'a']);
  });

  test('closes also what is registered while it closes, or afterwards', async () => {
    const lifecycle = new Lifecycle(logger);
    const closed: string[] = [];
    lifecycle.defer('first', () => {
      lifecycle.defer('during', () => void closed.push('during'));
    });
    await lifecycle.close();
    expect(closed).toEqual(['during']);
    await new Promise<void>((resolve) => lifecycle.defer('afterwards', resolve));
    // One that fails then has nobody to tell but the log.
    lifecycle.defer('failing', () => Promise.reject(new Error('late')));
    await lifecycle.close();
  });
});
