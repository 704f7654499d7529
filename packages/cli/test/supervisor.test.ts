import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { eventually } from '@quern/testkit';
import { describe, expect, it } from 'vitest';
import { EmbeddedRedis } from '../src/up/embedded-redis.ts';
import { markProcess } from '../src/up/process-mark.ts';
import { askRedis } from '../src/up/redis-command.ts';
import { RestartPolicy } from '../src/up/restart-policy.ts';
import type { ServiceSpec } from '../src/up/service-process.ts';
import { Supervisor } from '../src/up/supervisor.ts';
import { TemporaryFolder } from './temporary-folder.ts';

/** A service that writes down when it starts and stops, and does as its variables say. */
const SERVICE = `
import { appendFileSync } from 'node:fs';
const { NAME, JOURNAL, IGNORE_TERM, EXIT_CODE } = process.env;
const note = (what) => appendFileSync(JOURNAL, NAME + ' ' + what + ' ' + process.pid + '\\n');
process.on('SIGTERM', () => {
  if (IGNORE_TERM) return;
  note('stops');
  process.exit(0);
});
process.on('disconnect', () => process.exit(0));
note('runs');
if (EXIT_CODE) process.exit(Number(EXIT_CODE));
`;

class Workshop {
  readonly folder: TemporaryFolder;
  readonly warnings: string[] = [];
  pids: readonly number[] = [];
  readonly supervisor: Supervisor;

  constructor(folder: TemporaryFolder) {
    this.folder = folder;
    writeFileSync(folder.join('service.mjs'), SERVICE);
    writeFileSync(folder.join('journal'), '');
    this.supervisor = new Supervisor({
      warn: (message) => this.warnings.push(message),
      changed: (pids) => {
        this.pids = pids;
      },
    });
  }

  service(name: string, env: Record<string, string> = {}, stopTimeoutMs = 10_000): ServiceSpec {
    return {
      name,
      entry: pathToFileURL(this.folder.join('service.mjs')),
      env: { NAME: name, JOURNAL: this.folder.join('journal'), ...env },
      stopTimeoutMs,
    };
  }

  /** Lines `NAME runs PID`, `NAME stops PID`. */
  get journal(): string[] {
    return readFileSync(this.folder.join('journal'), 'utf8').split('\n').filter(Boolean);
  }

  runs(name: string): number[] {
    return this.journal
      .filter((line) => line.startsWith(`${name} runs`))
      .map((line) => Number(line.split(' ').at(-1)));
  }

  async start(...services: ServiceSpec[][]): Promise<void> {
    await this.supervisor.start({ startRedis: undefined, services: () => services });
    const names = services.flat().map(({ name }) => name);
    await eventually(() => names.every((name) => this.runs(name).length === 1));
  }
}

describe('Supervisor', { timeout: 30_000 }, () => {
  it('stops group after group, each service once', async () => {
    await using folder = await TemporaryFolder.make();
    const shop = new Workshop(folder);
    await shop.start([shop.service('api'), shop.service('board')], [shop.service('worker')]);
    expect(shop.pids).toHaveLength(3);
    shop.supervisor.markServing();
    await Promise.all([shop.supervisor.stop(), shop.supervisor.stop()]);
    const stops = shop.journal
      .filter((line) => line.includes('stops'))
      .map((line) => line.split(' ')[0]);
    expect(stops.slice(0, 2).sort()).toEqual(['api', 'board']);
    expect(stops.slice(2)).toEqual(['worker']);
    expect(shop.warnings).toEqual([]);
  });

  it('is over when a part ends while everything starts', async () => {
    await using folder = await TemporaryFolder.make();
    const shop = new Workshop(folder);
    await shop.start([shop.service('API')], [shop.service('worker', { EXIT_CODE: '3' })]);
    await expect(shop.supervisor.failed).rejects.toThrow(
      'The worker ended while it was starting (exit code 3)',
    );
    await shop.supervisor.stop();
    expect(shop.runs('worker')).toHaveLength(1);
  });

  it('starts a part again that was killed, and says so', async () => {
    await using folder = await TemporaryFolder.make();
    const shop = new Workshop(folder);
    await shop.start([shop.service('worker')]);
    shop.supervisor.markServing();
    const [pid = 0] = shop.runs('worker');
    process.kill(pid, 'SIGKILL');
    await eventually(() => shop.runs('worker').length === 2);
    expect(shop.warnings).toEqual([expect.stringMatching(/^worker ended \(SIGKILL\)/)]);
    await eventually(() => shop.pids[0] === shop.runs('worker')[1]);
    await shop.supervisor.stop();
    expect(shop.runs('worker').map(markProcess)).toEqual([undefined, undefined]);
  });

  it('kills what does not stop in time, with its process group', async () => {
    await using folder = await TemporaryFolder.make();
    const shop = new Workshop(folder);
    await shop.start([shop.service('stubborn', { IGNORE_TERM: '1' }, 200)]);
    await shop.supervisor.stop();
    expect(shop.runs('stubborn').map(markProcess)).toEqual([undefined]);
  });

  it('ends everything at once when it is told to, also while it stops', async () => {
    await using folder = await TemporaryFolder.make();
    const shop = new Workshop(folder);
    await shop.start([shop.service('a', { IGNORE_TERM: '1' }, 60_000)], [shop.service('b')]);
    const stopped = shop.supervisor.stop();
    shop.supervisor.kill();
    await stopped;
    expect([...shop.runs('a'), ...shop.runs('b')].map(markProcess)).toEqual([undefined, undefined]);
  });

  it('brings Redis back with its data, and stops it last', async () => {
    await using folder = await TemporaryFolder.make();
    const shop = new Workshop(folder);
    let redis: EmbeddedRedis | undefined;
    await shop.supervisor.start({
      startRedis: async () => {
        redis = await EmbeddedRedis.start({ dataDir: folder.path });
        return redis;
      },
      services: (url) => [[shop.service('worker', { REDIS: url ?? '' })]],
    });
    shop.supervisor.markServing();
    const first = redis;
    await askRedis(first?.url ?? 'redis://127.0.0.1:0', 'SET grain flour');
    first?.kill();
    await eventually(() => redis !== first);
    expect(await askRedis(redis?.url ?? 'redis://127.0.0.1:0', 'GET grain')).toBe('flour');
    await shop.supervisor.stop();
    expect(markProcess(redis?.pid ?? 0)).toBeUndefined();
  });
});

describe('RestartPolicy', () => {
  it('waits longer each time and gives up at the fifth death within a minute', () => {
    const policy = new RestartPolicy();
    const pauses = [0, 1000, 2000, 3000].map((nowMs) => policy.noteDeath(nowMs));
    expect(pauses).toEqual([100, 400, 1600, 6400]);
    expect(policy.noteDeath(59_999)).toBeUndefined();
  });

  it('forgets deaths after a minute', () => {
    const policy = new RestartPolicy();
    for (let count = 0; count < 50; count += 1) {
      expect(policy.noteDeath(count * 60_000)).toBe(100);
    }
  });
});
