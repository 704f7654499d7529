import { createLogger } from '@quern/service';
import { eventually } from '@quern/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type RunningDashboard, startDashboard } from '../src/index.ts';
import { Browser, noBrowserReason } from './browser.ts';
import { FAILURE, ServedModels } from './served-models.ts';

const ACCOUNT = { user: 'ops', password: 'correct horse' };
/** Two rows of 4-byte numbers: 2 MB of input. */
const LARGE_WIDTH = 250_000;

if (noBrowserReason !== undefined) console.log(`Board page tests skipped: ${noBrowserReason}`);

describe.skipIf(noBrowserReason !== undefined)(
  'the board in a browser',
  { timeout: 60_000 },
  () => {
    let models: ServedModels;
    let dashboard: RunningDashboard;
    let browser: Browser;

    beforeAll(async () => {
      models = await ServedModels.start();
      await models.publish('digits');
      await models.publish('language');
      await models.publish('idle');
      const logger = createLogger({ name: 'dashboard', level: 'silent', pretty: false });
      const { queue } = models;
      const options = { queue, host: '127.0.0.1', port: 0, logger, credentials: ACCOUNT };
      dashboard = await startDashboard(options);
      browser = await Browser.launch();
    }, 60_000);
    afterAll(async () => {
      await browser?.close();
      await dashboard?.close();
      await models?.stop();
    }, 60_000);

    afterEach(async () => {
      await browser.page.context().clearCookies();
      expect(browser.traffic.complaints.splice(0)).toEqual([]);
      const outside = browser.traffic.urls.filter((url) => !url.startsWith(`${dashboard.url}/`));
      expect(outside.filter((url) => !url.startsWith('data:'))).toEqual([]);
    });

    const open = (path: string) => browser.page.goto(dashboard.url + path);
    const shows = (text: string | RegExp) =>
      browser.page.getByText(text).first().waitFor({ state: 'visible' });
    const buttons = (name: string | RegExp) => browser.page.getByRole('button', { name });

    async function signIn(): Promise<void> {
      await open('/sign-in');
      await browser.page.getByLabel('User').fill(ACCOUNT.user);
      await browser.page.getByLabel('Password').fill(ACCOUNT.password);
      await buttons('Sign in').click();
      await browser.page.waitForURL(`${dashboard.url}/`);
    }

    test('shows the queue of every model, also of one that appears later', async () => {
      await open('/');
      await shows('digits');
      await shows('language');
      await shows(/^Read-only/);
      await models.publish('late-arrival');
      // The page asks again by itself.
      await shows('late-arrival');
      await models.forget('late-arrival');
      // The dashboard asks the registry now and then.
      await eventually(async () => {
        await browser.page.reload();
        await shows('language');
        expect(await browser.page.getByText('late-arrival').count()).toBe(0);
      });
    });

    test('sums up a completed prediction: its input, its batch and its times', async () => {
      models.serve('digits');
      await models.ended(await models.submit('digits', { metadata: { ticket: 'T-41' } }));
      await open('/queue/digits?status=completed');
      await shows('digits:1 · 2 rows · in a batch of 12 · 31.5 ms');
      await shows('FP32[2,3]');
      await shows('T-41');
      await shows('batch-17');
      await shows('webgpu');
      const text = await browser.page.locator('main').textContent();
      expect(text).toMatch(/batchRows:\s*12/);
      expect(text).toMatch(/batchReason:\s*"full"/);
      expect(text).toMatch(/queueTimeMs:\s*7.25/);
      expect(text).toMatch(/inferenceTimeMs:\s*31.5/);
      expect(text).toMatch(/outputSize:\s*"108 B"/);
      await shows('Throughput (jobs / min)');
    });

    test("shows a failed prediction's reason", async () => {
      models.serve('language');
      await models.ended(await models.submit('language', { metadata: { fail: true } }));
      await open('/queue/language?status=failed');
      await shows(`INFERENCE_FAILED: ${FAILURE}`);
    });

    test('stays light with megabytes of input in the queue', async () => {
      await models.publish('images');
      const id = await models.submit('images', { width: LARGE_WIDTH });
      const bull = models.bullQueue('images');
      await bull.add('by-hand', { blob: 'x'.repeat(2_000_000) });
      await bull.close();
      browser.traffic.bytesByPath.clear();
      await open('/queue/images');
      await shows(id);
      await shows('by-hand');
      await shows(/2\.0 MB in all/);
      await shows(`FP32[2,${LARGE_WIDTH}]`);
      await shows('under a key of its own');
      const bytes = await eventually(() => {
        const size = browser.traffic.bytesByPath.get('/api/queues') ?? 0;
        return size > 0 && size;
      });
      expect(bytes).toBeLessThan(20_000);
    });

    test('has no buttons to act with until somebody signs in', async () => {
      models.serve('digits');
      await models.ended(await models.submit('digits', { metadata: { fail: true } }));
      await open('/queue/digits?status=failed');
      await shows(FAILURE);
      const acting = buttons(/retry|clean|promote|pause|duplicate|update data/i);
      expect(await acting.count()).toBe(0);
      await signIn();
      await open('/queue/digits?status=failed');
      await buttons('Retry all').waitFor();
      expect(await browser.page.getByText(/^Read-only/).count()).toBe(0);
      await buttons('Retry all').click();
      await buttons('Confirm').click();
      await shows(/sent back to the queue/);
    });

    test('offers operators what they may do, and no more', async () => {
      models.serve('digits');
      await models.ended(await models.submit('digits', { metadata: { fail: true } }));
      await signIn();
      await open('/queue/digits?status=failed');
      await shows(FAILURE);
      const icon = (name: string) => browser.page.locator(`button:has(.lucide-${name})`).last();
      expect(await icon('trash-2').isVisible()).toBe(true);
      expect(await icon('files').isVisible()).toBe(false);
      expect(await icon('pencil').isVisible()).toBe(false);
      await icon('ellipsis-vertical').click();
      const item = (name: string) => browser.page.getByRole('menuitem', { name });
      await item('Pause').waitFor();
      for (const name of ['Add job', 'Empty', 'Obliterate', 'Set concurrency', 'Set rate limit']) {
        expect(await item(name).count(), name).toBe(0);
      }
    });

    test('tells an operator why something is not done', async () => {
      const bull = models.bullQueue('idle');
      await bull.add('retried-later', {}, { delay: 600_000 });
      await signIn();
      await open('/queue/idle?status=delayed');
      await buttons('Clean all').click();
      await buttons('Confirm').click();
      await shows(/would vanish without an answer/);
      expect(await bull.getDelayedCount()).toBe(1);
      await bull.close();
      // The browser reports the refused request itself.
      expect(browser.traffic.complaints.splice(0).join()).toContain('403');
    });

    test('lets an operator sign out', async () => {
      await signIn();
      await open('/sign-in');
      await shows(/Signed in as/);
      await buttons('Sign out').click();
      await shows(/^Read-only/);
    });
  },
);
