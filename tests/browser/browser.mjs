// Chromium, and a person in it. Whatever a page complains of, in its console or about its policy, is remembered.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { billwrightUrl, chromiumPath, password } from './environment.mjs';

/** Chromium as it runs everywhere: without a screen, a sandbox of its own, or calls home. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** The cookies of those who signed in, by name: who signs in too often has to wait, and tests are in a hurry. */
const signedIn = new Map();

/** How long a page may take to become what it should be. */
export const PATIENCE = 20_000;

/** A running browser. */
export async function launch() {
  const home = await mkdtemp(join(tmpdir(), 'billwright-chromium-'));
  const browser = await chromium.launch({
    executablePath: chromiumPath,
    args: FLAGS,
    env: { ...process.env, HOME: home },
  });
  return {
    browser,
    async close() {
      await browser.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

/** Somebody with a window of their own. `options` are those of playwright's contexts. */
export async function person(browser, options = {}) {
  const context = await browser.newContext({ baseURL: billwrightUrl, locale: 'en', ...options });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  const complaints = [];
  page.on('console', (message) => {
    // A status that a test asks for is no fault of the page.
    if (['error', 'warning'].includes(message.type()) && !/the server responded with a status of 4/.test(message.text())) {
      complaints.push(`${message.text()} (${page.url()})`);
    }
  });
  page.on('pageerror', (error) => complaints.push(`${error} (${page.url()})`));
  page.on('request', (request) => {
    if (!request.url().startsWith(billwrightUrl)) complaints.push(`asks elsewhere: ${request.url()}`);
  });
  return {
    context,
    page,
    complaints,
    /** Signs in as an operator (`anna`) or a viewer (`bob`). */
    async signIn(name) {
      const cookies = signedIn.get(name);
      if (cookies) {
        await context.addCookies(cookies);
        await page.goto('/dashboard');
        return;
      }
      await page.goto('/dashboard/login');
      await page.getByLabel('Name').fill(name);
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.waitForURL((url) => !url.pathname.endsWith('/login'));
      signedIn.set(name, await context.cookies());
    },
    /** Leaves, and fails if any page complained. */
    async leave() {
      await context.close();
      assert.deepEqual(complaints, []);
    },
  };
}
