import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';

const CHROMIUM = process.env['QUERN_CHROMIUM'] ?? '/usr/bin/chromium';

/** Why there is no browser to test with; undefined if there is one. */
export const noBrowserReason = existsSync(CHROMIUM)
  ? undefined
  : `there is no Chromium at ${CHROMIUM} (set QUERN_CHROMIUM)`;

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What went over the wire for the page, and what it complained of. */
export interface Traffic {
  readonly urls: string[];
  /** Errors on the console, and uncaught ones. */
  readonly complaints: string[];
  /** Size of the largest response body by path. */
  readonly bytesByPath: Map<string, number>;
}

/** A browser with a profile of its own, and one page that is listened to. */
export class Browser {
  readonly page: Page;
  readonly traffic: Traffic = { urls: [], complaints: [], bytesByPath: new Map() };
  readonly #context: BrowserContext;
  readonly #profile: string;

  private constructor(context: BrowserContext, page: Page, profile: string) {
    this.#context = context;
    this.#profile = profile;
    this.page = page;
  }

  static async launch(): Promise<Browser> {
    const profile = await mkdtemp(join(tmpdir(), 'quern-browser-'));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: CHROMIUM,
      headless: true,
      args: ARGUMENTS,
      viewport: { width: 1280, height: 900 },
    });
    context.setDefaultTimeout(10_000);
    const browser = new Browser(context, await context.newPage(), profile);
    browser.#listen();
    return browser;
  }

  #listen(): void {
    const { urls, complaints, bytesByPath } = this.traffic;
    this.#context.on('request', (request) => urls.push(request.url()));
    this.#context.on('requestfinished', async (request) => {
      const sizes = await request.sizes().catch(() => undefined);
      const { pathname } = new URL(request.url());
      const known = bytesByPath.get(pathname) ?? 0;
      if (sizes !== undefined) bytesByPath.set(pathname, Math.max(known, sizes.responseBodySize));
    });
    this.page.on('pageerror', (error) => complaints.push(error.message));
    this.page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(message.text());
    });
  }

  async close(): Promise<void> {
    await this.#context.close();
    await rm(this.#profile, { recursive: true, force: true });
  }
}
