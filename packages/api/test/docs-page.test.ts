import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningApi } from './running-api.ts';

const CHROMIUM = '/usr/bin/chromium';
const hasChromium = existsSync(CHROMIUM);
if (!hasChromium)
  console.warn(`Skipped: the documentation page in a browser, ${CHROMIUM} is missing`);

describe.skipIf(!hasChromium)('the documentation page', () => {
  let api: RunningApi;
  let browser: Browser;
  beforeAll(async () => {
    api = await RunningApi.start();
    browser = await chromium.launch({
      executablePath: CHROMIUM,
      args: ['--no-sandbox', '--disable-gpu'],
    });
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await api.stop();
  });

  test('shows the operations, asks nobody outside, and its own requests work', async () => {
    const page = await browser.newPage();
    const requested: string[] = [];
    const problems: string[] = [];
    page.on('request', (request) => requested.push(request.url()));
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(`${api.url}/docs`);
    await page.getByText("Make a prediction with a model's default version").waitFor();
    await page.locator('#operations-Models-listModels').click();
    await page.locator('#operations-Models-listModels button.execute').click();
    await page.locator('#operations-Models-listModels .live-responses-table').waitFor();
    const answer = await page
      .locator('#operations-Models-listModels .live-responses-table')
      .textContent();
    expect(answer).toContain('"pair"');
    const outside = requested.filter(
      (url) => !url.startsWith(`${api.url}/`) && !url.startsWith('data:'),
    );
    expect(outside).toEqual([]);
    expect(problems).toEqual([]);
    await page.close();
  }, 60_000);
});
