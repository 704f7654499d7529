import { createServer } from 'node:http';
import { closeServer, createLogger, listen } from '@quern/service';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildApp, type RunningDashboard, startDashboard } from '../src/index.ts';
import { type Answer, call, cookiesOf, sendSignIn } from './http-call.ts';
import { ServedModels } from './served-models.ts';

const ACCOUNT = { user: 'ops', password: 'correct horse' };
const logger = createLogger({ name: 'dashboard', level: 'silent', pretty: false });

let models: ServedModels;
beforeAll(async () => {
  models = await ServedModels.start();
  await models.publish('digits');
});
afterAll(() => models.stop());

async function withDashboard(
  options: Partial<Parameters<typeof startDashboard>[0]>,
  use: (url: string, dashboard: RunningDashboard) => Promise<void>,
): Promise<void> {
  const base = { queue: models.queue, host: '127.0.0.1', port: 0, logger, credentials: ACCOUNT };
  const dashboard = await startDashboard({ ...base, ...options });
  try {
    await use(dashboard.url, dashboard);
  } finally {
    await dashboard.close();
  }
}

const pause = (url: string, headers: Record<string, string> = {}): Promise<Answer> =>
  call(`${url}/api/queues/digits/pause`, { method: 'PUT', headers });

describe('signing in', () => {
  test('gives a session that may act, and signing out ends it', async () => {
    await withDashboard({}, async (url) => {
      const signedIn = await sendSignIn(url, { ...ACCOUNT, next: '/queue/digits?status=failed' });
      expect(signedIn.status).toBe(303);
      expect(signedIn.headers['location']).toBe('/queue/digits?status=failed');
      const cookie = cookiesOf(signedIn);
      expect((await pause(url, { cookie })).status).toBe(200);
      expect((await call(`${url}/sign-in`, { headers: { cookie } })).text).toContain('>ops<');
      const signedOut = await call(`${url}/sign-out`, { method: 'POST', headers: { cookie } });
      expect(cookiesOf(signedOut)).toMatch(/quern_dashboard=;/);
    });
  });

  test('keeps the session where only the browser and only this site use it', async () => {
    await withDashboard({}, async (url) => {
      const overHttp = await sendSignIn(url, ACCOUNT);
      for (const cookie of overHttp.headers['set-cookie'] ?? []) {
        expect(cookie).toMatch(/httponly/i);
        expect(cookie).toMatch(/samesite=strict/i);
        expect(cookie).not.toMatch(/; secure/i);
      }
      const overTls = await sendSignIn(url, ACCOUNT, { 'x-forwarded-proto': 'https' });
      for (const cookie of overTls.headers['set-cookie'] ?? []) expect(cookie).toMatch(/; secure/i);
    });
  });

  test.each([
    [{ user: 'ops', password: 'correct hors' }],
    [{ user: 'Ops', password: 'correct horse' }],
    [{ user: '', password: '' }],
    [{ user: 'ops' }],
    [{ password: 'correct horse' }],
  ])('refuses %j', async (fields) => {
    await withDashboard({}, async (url) => {
      const answer = await sendSignIn(url, fields as Record<string, string>);
      expect(answer.status).toBe(401);
      expect(answer.text).toContain('User or password is wrong.');
      expect(answer.headers['set-cookie']).toBeUndefined();
    });
  });

  test('leads only to our own pages, and shows their names as text', async () => {
    await withDashboard({}, async (url) => {
      for (const next of ['//evil.test/', '/\\evil.test', 'https://evil.test/', '/\t/evil.test']) {
        expect((await sendSignIn(url, { ...ACCOUNT, next })).headers['location']).toBe('/');
      }
      const page = await call(
        `${url}/sign-in?next=${encodeURIComponent('/"><script>alert(1)</script>')}`,
      );
      expect(page.status).toBe(200);
      expect(page.text).not.toContain('<script');
    });
  });

  test('stops after ten failures from one address, whatever it claims to be', async () => {
    await withDashboard({}, async (url) => {
      const attempt = (password: string, claimed: string): Promise<Answer> =>
        sendSignIn(url, { user: 'ops', password }, { 'x-forwarded-for': claimed });
      // What succeeds does not count.
      expect((await attempt(ACCOUNT.password, '10.0.0.1')).status).toBe(303);
      for (let i = 0; i < 10; i++) expect((await attempt('guess', `10.0.0.${i}`)).status).toBe(401);
      const refused = await attempt('guess', '10.9.9.9');
      expect(refused.status).toBe(429);
      expect(refused.text).toContain('Too many failed attempts');
      expect((await attempt(ACCOUNT.password, '10.9.9.9')).status).toBe(429);
    });
  });

  test('takes a form of no more than a few kilobytes', async () => {
    await withDashboard({}, async (url) => {
      const answer = await sendSignIn(url, { ...ACCOUNT, password: 'x'.repeat(100_000) });
      expect(answer.status).toBe(413);
      expect((await call(`${url}/health/live`)).status).toBe(200);
    });
  });
});

describe('a session', () => {
  test('cannot be made without the key', async () => {
    await withDashboard({}, async (url) => {
      const forged = Buffer.from(JSON.stringify({ user: 'ops', expiresAtMs: 9e15 })).toString(
        'base64',
      );
      for (const signature of ['', '; quern_dashboard.sig=AAAA']) {
        const cookie = `quern_dashboard=${forged}${signature}`;
        expect((await pause(url, { cookie })).status).toBe(403);
      }
    });
  });

  test('outlives a restart under the same secret, but not a changed password', async () => {
    const secret = 's'.repeat(32);
    let cookie = '';
    await withDashboard({ secret }, async (url) => {
      cookie = cookiesOf(await sendSignIn(url, ACCOUNT));
    });
    await withDashboard({ secret }, async (url) => {
      expect((await pause(url, { cookie })).status).toBe(200);
    });
    await withDashboard({ secret, credentials: { ...ACCOUNT, password: 'new' } }, async (url) => {
      expect((await pause(url, { cookie })).status).toBe(403);
    });
    await withDashboard({}, async (url) => {
      expect((await pause(url, { cookie })).status).toBe(403);
    });
  });

  test('is of no use to the pages of other sites', async () => {
    await withDashboard({}, async (url, { port }) => {
      const cookie = cookiesOf(await sendSignIn(url, ACCOUNT));
      const foreign = [
        { 'sec-fetch-site': 'cross-site' },
        { 'sec-fetch-site': 'same-site' },
        { origin: 'http://evil.test' },
        { origin: 'null' },
        { origin: `http://127.0.0.1:${port + 1}` },
      ];
      for (const headers of foreign) {
        expect((await pause(url, { cookie, ...headers })).status, JSON.stringify(headers)).toBe(
          403,
        );
        expect((await sendSignIn(url, ACCOUNT, headers)).status).toBe(403);
      }
      expect((await pause(url, { cookie, origin: url })).status).toBe(200);
      expect((await pause(url, { cookie, 'sec-fetch-site': 'same-origin' })).status).toBe(200);
    });
  });
});

describe('on loopback', () => {
  test.each([
    'evil.test',
    'localhost.evil.test',
    '127.0.0.1.evil.test',
    '169.254.1.1',
    'a@localhost',
  ])('answers nothing that is addressed to %s', async (host) => {
    await withDashboard({}, async (url) => {
      for (const path of ['/', '/api/queues', '/sign-in', '/health/live']) {
        const answer = await call(url + path, { headers: { host } });
        expect(answer.status).toBe(403);
        expect(answer.text).toContain('Host');
      }
    });
  });

  test('answers to every name of this machine', async () => {
    await withDashboard({}, async (url, { port }) => {
      for (const host of [
        `localhost:${port}`,
        'LOCALHOST',
        `127.0.0.1:${port}`,
        '127.1.2.3',
        '[::1]:9',
      ]) {
        expect((await call(`${url}/api/queues`, { headers: { host } })).status).toBe(200);
      }
    });
  });

  test('without an account says how to get one, and nobody can act', async () => {
    const dashboard = await startDashboard({
      queue: models.queue,
      host: '127.0.0.1',
      port: 0,
      logger,
    });
    try {
      const page = await call(`${dashboard.url}/sign-in`);
      expect(page.text).toContain('QUERN_DASHBOARD_USER');
      expect(page.text).toContain('QUERN_DASHBOARD_PASSWORD');
      expect((await sendSignIn(dashboard.url, ACCOUNT)).status).toBe(403);
      expect((await pause(dashboard.url)).status).toBe(403);
      expect((await call(`${dashboard.url}/api/queues`)).status).toBe(200);
    } finally {
      await dashboard.close();
    }
  });

  test('refuses to start where others can reach it and nobody can sign in', async () => {
    const start = startDashboard({ queue: models.queue, host: '0.0.0.0', port: 0, logger });
    await expect(start).rejects.toThrow(/QUERN_DASHBOARD_USER.*QUERN_DASHBOARD_PASSWORD/);
  });

  test('a port in use names the variable to change', async () => {
    await withDashboard({}, async (_url, { port }) => {
      await expect(withDashboard({ port }, async () => {})).rejects.toThrow('QUERN_DASHBOARD_PORT');
    });
  });
});

describe('on an address that others reach', () => {
  test('only health and sign-in are open', async () => {
    const deps = { queue: models.queue, host: '192.0.2.1', credentials: ACCOUNT, logger };
    const dashboard = buildApp(deps);
    const server = createServer(dashboard.app);
    const options = { host: '127.0.0.1', port: 0, portVariable: 'NONE' };
    const url = `http://127.0.0.1:${await listen(server, options)}`;
    try {
      const host = 'dashboard.example.com';
      for (const path of ['/health/live', '/health/ready', '/sign-in']) {
        expect((await call(url + path, { headers: { host } })).status).toBe(200);
      }
      for (const path of ['/api/queues', '/static/favicon.ico', '/api/redis/stats', '/nothing']) {
        expect((await call(url + path, { headers: { host } })).status, path).toBe(401);
      }
      const page = await call(`${url}/queue/digits?status=failed`, {
        headers: { accept: 'text/html' },
      });
      expect(page.status).toBe(303);
      expect(page.headers['location']).toBe('/sign-in?next=%2Fqueue%2Fdigits%3Fstatus%3Dfailed');
      const cookie = cookiesOf(await sendSignIn(url, ACCOUNT, { host }));
      const board = await call(`${url}/api/queues`, { headers: { host, cookie } });
      expect(board.status).toBe(200);
      expect(JSON.parse(board.text).queues[0].name).toBe('digits');
    } finally {
      await closeServer(server);
      await dashboard.close();
    }
  });
});
