// Axe finds nothing serious on any page, in light and in dark, and no page is wider than a phone.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { launch, person } from './browser.mjs';
import { openBusiness } from './business.mjs';
import { everyPage, populate } from './pages.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let business;
let chromium;
let pages;

before(async () => {
  business = await openBusiness();
  chromium = await launch();
  const anna = await person(chromium.browser);
  await anna.signIn('anna');
  pages = await everyPage(anna.page, await populate(business, anna.page));
  await anna.context.close();
});

after(async () => {
  await chromium?.close();
  await business?.close();
});

/** What axe finds on the page that is open. Its script comes around the page's policy, which lets none in. */
async function findings(page) {
  const frame = await page.context().newCDPSession(page);
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await frame.send('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  };
  await evaluate(axe);
  const violations = await evaluate(`axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations
    .filter((violation) => ['serious', 'critical'].includes(violation.impact))
    .flatMap((violation) => violation.nodes.map((node) => violation.id + ': ' + node.target + ': ' + node.failureSummary)))`);
  await frame.detach();
  return violations;
}

for (const colorScheme of ['light', 'dark']) {
  test(`nothing serious in ${colorScheme}`, async () => {
    const anna = await person(chromium.browser, { colorScheme, reducedMotion: 'reduce' });
    await anna.page.goto('/dashboard/login');
    const found = { login: await findings(anna.page) };
    await anna.signIn('anna');
    for (const [name, path] of Object.entries(pages)) {
      await anna.page.goto(path);
      found[name] = await findings(anna.page);
    }
    const serious = Object.entries(found).filter(([, violations]) => violations.length > 0);
    assert.deepEqual(serious, []);
    await anna.leave();
  });
}

test('nothing is wider than a phone', async () => {
  const anna = await person(chromium.browser, { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true });
  await anna.signIn('anna');
  const wide = [];
  for (const [name, path] of Object.entries(pages)) {
    await anna.page.goto(path);
    const width = await anna.page.evaluate(() => document.documentElement.scrollWidth);
    if (width > 360) wide.push(`${name}: ${width}`);
  }
  assert.deepEqual(wide, []);
  await anna.leave();
});
