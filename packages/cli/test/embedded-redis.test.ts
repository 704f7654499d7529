import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@quern/testkit';
import { describe, expect, it } from 'vitest';
import { EmbeddedRedis } from '../src/up/embedded-redis.ts';
import { markProcess } from '../src/up/process-mark.ts';
import { socketOf } from '../src/up/redis-address.ts';
import { askRedis } from '../src/up/redis-command.ts';
import { FROM_SOURCE } from './run-cli.ts';
import { TemporaryFolder } from './temporary-folder.ts';

const OWNER = fileURLToPath(new URL('./redis-owner.ts', import.meta.url));

describe('EmbeddedRedis', { timeout: 30_000 }, () => {
  it('keeps what it was told over a restart, and evicts nothing', async () => {
    await using folder = await TemporaryFolder.make();
    const first = await EmbeddedRedis.start({ dataDir: folder.path });
    expect(await askRedis(first.url, 'SET grain flour')).toBe('+OK');
    expect(await askRedis(first.url, 'INFO memory')).toContain('maxmemory_policy:noeviction');
    expect(await askRedis(first.url, 'INFO persistence')).toContain('aof_enabled:1');
    await first.stop();
    expect(markProcess(first.pid)).toBeUndefined();

    const second = await EmbeddedRedis.start({ dataDir: folder.path });
    expect(second.isAdopted).toBe(false);
    expect(await askRedis(second.url, 'GET grain')).toBe('flour');
    await second.stop();
  });

  it('keeps what it has acknowledged when it is killed, and comes back at the same address', async () => {
    await using folder = await TemporaryFolder.make();
    const first = await EmbeddedRedis.start({ dataDir: folder.path });
    await askRedis(first.url, 'SET grain flour');
    first.kill();
    await first.ended;

    const second = await EmbeddedRedis.start({ dataDir: folder.path });
    expect(second.url).toBe(first.url);
    expect(await askRedis(second.url, 'GET grain')).toBe('flour');
    await second.stop();
  });

  it('can be reached by this user alone, and leaves no socket', async () => {
    await using folder = await TemporaryFolder.make();
    const redis = await EmbeddedRedis.start({ dataDir: folder.path });
    const socketDir = dirname(socketOf(redis.url) ?? '');
    expect(statSync(socketDir).mode & 0o777).toBe(0o700);
    await Promise.all([redis.stop(), redis.stop()]);
    expect(existsSync(socketDir)).toBe(false);
  });

  it('takes over the server of an owner that was killed, and ends it', async () => {
    await using folder = await TemporaryFolder.make();
    const owner = spawn(process.execPath, [...FROM_SOURCE, OWNER, folder.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(owner.stdout, 'data');
    owner.kill('SIGKILL');
    await once(owner, 'exit');

    const adopted = await EmbeddedRedis.start({ dataDir: folder.path });
    expect(adopted.isAdopted).toBe(true);
    expect(adopted.pid).toBe(Number(String(line)));
    expect(await askRedis(adopted.url, 'PING')).toBe('+PONG');
    await adopted.stop();
    await eventually(() => markProcess(adopted.pid) === undefined);
  });

  it('listens on loopback where the path of a socket would be too long', async () => {
    await using folder = await TemporaryFolder.make();
    const tmpDir = folder.join('x'.repeat(100));
    const redis = await EmbeddedRedis.start({ dataDir: folder.path, tmpDir });
    try {
      expect(redis.url).toMatch(/^redis:\/\/127\.0\.0\.1:\d+$/);
      expect(await askRedis(redis.url, 'SET a b')).toBe('+OK');
      redis.kill();
      await redis.ended;
      const again = await EmbeddedRedis.start({ dataDir: folder.path, tmpDir });
      expect(again.url).toBe(redis.url);
      await again.stop();
    } finally {
      redis.kill();
    }
  });

  it('says how to install a server that is missing', async () => {
    await using folder = await TemporaryFolder.make();
    const binary = folder.join('redis-server');
    const start = EmbeddedRedis.start({ dataDir: folder.path, binary });
    await expect(start).rejects.toMatchObject({ code: 'REDIS_UNAVAILABLE' });
    await expect(start).rejects.toThrow(
      /QUERN_REDIS_SERVER is .*apt-get install.*dnf install.*apk add.*brew install/s,
    );
  });

  it('shows the end of the log of a server that does not start', async () => {
    await using folder = await TemporaryFolder.make();
    await (await EmbeddedRedis.start({ dataDir: folder.path })).stop();
    const files = folder.join('redis', 'appendonlydir');
    const manifest = (await readdir(files)).find((name) => name.endsWith('.manifest')) ?? '';
    expect(await readFile(`${files}/${manifest}`, 'utf8')).toContain('file');
    writeFileSync(`${files}/${manifest}`, 'grain\n');
    await expect(EmbeddedRedis.start({ dataDir: folder.path })).rejects.toThrow(
      /ended at its start \(exit code 1\).*manifest/s,
    );
  });

  it('ends a server that is not ready in time', async () => {
    await using folder = await TemporaryFolder.make();
    const binary = folder.join('slow-server');
    const pidFile = folder.join('pid');
    writeFileSync(binary, `#!/bin/sh\necho $$ > ${pidFile}\nexec sleep 60\n`, { mode: 0o755 });
    const start = EmbeddedRedis.start({ dataDir: folder.path, binary, readyTimeoutMs: 300 });
    await expect(start).rejects.toThrow('not ready within 300 ms');
    expect(markProcess(Number(await readFile(pidFile, 'utf8')))).toBeUndefined();
  });
});
