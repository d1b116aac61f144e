import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import axe from 'axe-core';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { createFileActions } from '../../src/dashboard/file-actions.js';
import { type Dashboard, startDashboard } from '../../src/dashboard/server.js';
import { loadConfig } from '../../src/lib/config.js';
import type { TokenState } from '../../src/lib/core/token-lease.js';
import { createAccountReads } from '../../src/lib/zoho/account-reads.js';
import { type RememberedAllowance, readAllowance, recentAllowance } from '../../src/lib/zoho/allowance.js';
import { openZoho } from '../../src/lib/zoho/open-zoho.js';
import { openBrowser } from './chromium.js';
import { quietLog } from './engines.js';
import type { WorkScene } from './scene.js';
import { setup, type TestScope } from './setup.js';

export const DESKTOP = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };

export interface DashboardPages {
  /** The scope of the test that runs. */
  readonly t: TestScope;
  /** A dashboard over the scene, that asks its sandbox for the allowance. */
  serve(scene: Pick<WorkScene, 'engine' | 'sandbox'>): Promise<Dashboard>;
  /** A page that fails the test when it asks another machine for anything, or breaks the content security policy. */
  visit(url: string, options?: VisitOptions): Promise<Page>;
}

export interface VisitOptions extends BrowserContextOptions {
  /** Errors on the console that the test brings about. */
  readonly expected?: RegExp;
}

/** One browser for the tests of the `describe` this is called in, and what each of them opens and closes. */
export function useDashboardPages(): DashboardPages {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  }, 300_000);
  afterAll(() => browser?.close());

  let t: TestScope;
  beforeEach(() => {
    t = setup();
  });
  afterEach(() => t.close());

  return {
    get t() {
      return t;
    },
    serve: async (scene) => {
      const { engine } = scene;
      const allowance = allowanceOf(scene, t);
      const dashboard = await startDashboard({
        host: '127.0.0.1',
        port: 0,
        engine,
        log: quietLog,
        limits: { ratePerSecond: 40, maxInFlight: 10 },
        account: { dataCenter: 'EU', isSandbox: true, org: () => 'Acme Ltd' },
        files: { actions: createFileActions({ engine, work: loadConfig({}).work, allowance }) },
        allowance,
      });
      return t.closing(dashboard, (opened) => opened.close());
    },
    visit: async (url, { expected, ...options } = {}) => {
      const context = await browser.newContext({ viewport: DESKTOP, locale: 'en-GB', timezoneId: 'UTC', ...options });
      const complaints: string[] = [];
      t.closing(context, async (opened) => {
        await opened.close();
        expect(complaints.filter((complaint) => !expected?.test(complaint))).toEqual([]);
      });
      const page = await context.newPage();
      page.setDefaultTimeout(120_000);
      page.on('request', (request) => {
        if (!request.url().startsWith(new URL(url).origin)) complaints.push(`asked for ${request.url()}`);
      });
      page.on('console', (message) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      page.on('pageerror', (error) => complaints.push(String(error)));
      await page.goto(url);
      return page;
    },
  };
}

/** What the commands do: the allowance as the sandbox tells it, at most once a minute. */
function allowanceOf({ engine, sandbox }: Pick<WorkScene, 'engine' | 'sandbox'>, t: TestScope) {
  const account = {
    clientId: 'sandbox',
    clientSecret: 'sandbox',
    refreshToken: 'sandbox',
    dc: 'us',
    accountsUrl: sandbox.url,
    apiDomain: sandbox.url,
    apiVersion: 'v7',
  } as const;
  const { store } = engine;
  const zoho = openZoho(
    account,
    { requestTimeoutMs: 1_500, userAgent: 'test' },
    { document: store.document<TokenState>('token'), log: quietLog },
  );
  t.closing(zoho, (opened) => opened.close());
  const limits = { callsPerSecond: 40, maxInFlight: 10, permitTtlMs: 10_000 };
  const reads = createAccountReads({ zoho, store, limits, callerId: 'test-dashboard', patienceMs: 1_500 });
  const document = store.document<RememberedAllowance>('allowance');
  return () => recentAllowance(document, async () => readAllowance(reads, (await store.counts()).scheduled));
}

/** The number that a page shows beside a label. */
export async function numberAfter(page: Page, label: string): Promise<number> {
  const term = page.locator('dt').filter({ hasText: new RegExp(`^\\s*${label}`) });
  const text = await term.first().locator('xpath=following-sibling::dd').innerText();
  return Number.parseFloat(text.replaceAll(',', ''));
}

/** Checks that a page is not wider than its window and that axe finds no serious fault. */
export async function expectAccessible(page: Page): Promise<void> {
  const tooWide = await page.evaluate<number>(
    'Math.max(0, document.documentElement.scrollWidth - document.documentElement.clientWidth)',
  );
  const at = { url: page.url(), ...page.viewportSize() };
  expect({ ...at, tooWide, faults: await seriousFaults(page) }).toEqual({ ...at, tooWide: 0, faults: [] });
}

/** What axe calls serious or critical on a page. */
export async function seriousFaults(page: Page): Promise<readonly string[]> {
  if (!(await page.evaluate("'axe' in globalThis"))) await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: typeof axe }).axe.run({ reporter: 'no-passes' }),
  );
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
}
