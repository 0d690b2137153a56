// A person's paths through the operations pages.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { launch, person } from './browser.mjs';
import { openBusiness } from './business.mjs';

let business;
let chromium;
let who;

before(async () => {
  business = await openBusiness();
  chromium = await launch();
});

after(async () => {
  await chromium?.close();
  await business?.close();
});

describe('an operator', () => {
  beforeEach(async () => {
    who = await person(chromium.browser);
    await who.signIn('anna');
  });
  afterEach(() => who.leave());

  test('finds a failed payment by its order, sees why, retries it, and watches it complete', async () => {
    const payment = await business.failedPayment();
    const { page } = who;
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await page.getByLabel('Find a job').fill(payment.orderId);
    await page.getByRole('button', { name: 'Find', exact: true }).click();
    await page.getByRole('link', { name: payment.jobId, exact: true }).first().click();
    const facts = page.locator('#now .facts').first();
    await facts.getByText('failed', { exact: true }).waitFor();
    assert.match(await page.locator('main').innerText(), /not active/);
    await payment.mend();

    await page.getByRole('button', { name: 'Retry', exact: true }).click();
    await page.getByRole('button', { name: 'Yes, do it' }).click();
    await page.waitForURL(/\/dashboard\/job\//);
    // From here on the page is not loaded again: it follows by itself.
    await page.evaluate(() => {
      globalThis.wasHere = true;
    });
    await facts.getByText('completed', { exact: true }).waitFor();
    assert.equal(await page.evaluate(() => globalThis.wasHere), true);
  });

  test('puts a dead letter back after looking at what that would do', async () => {
    await business.send('c-77', '{"type":"Customer.Created","payload":{"userId":"c-77"');
    const { page } = who;
    await page.getByRole('link', { name: 'Events', exact: true }).click();
    await page.getByRole('link', { name: 'Dead letters', exact: true }).click();
    const rows = page.locator('tbody tr');
    for (let tries = 0; (await rows.count()) === 0 && tries < 100; tries += 1) {
      await page.waitForTimeout(200);
      await page.reload();
    }
    const place = await rows.first().locator('th a').innerText();
    await rows.first().getByRole('checkbox').check();
    await page.getByRole('button', { name: 'Put the chosen back…' }).click();
    await page.getByText('Nothing was sent yet').waitFor();
    await page.getByRole('button', { name: 'Put back now' }).click();
    await page.getByText('1 dead letter was put back').waitFor();
    await page.locator('tr', { hasText: place }).getByText('put back', { exact: true }).waitFor();
  });

  test('changes the language, and it stays', async () => {
    const { page } = who;
    await page.goto('/dashboard/events');
    await page.getByRole('link', { name: 'Русский' }).click();
    await page.getByRole('heading', { name: 'События', level: 1 }).waitFor();
    await page.getByRole('link', { name: 'Счета', exact: true }).click();
    await page.getByRole('heading', { name: 'Счета', level: 1 }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'ru');
  });

  test('sees numbers change while they watch', async () => {
    const { page } = who;
    await page.goto('/dashboard');
    const failed = page.locator('[data-live="jobs.failed"]').first();
    const before = Number(await failed.innerText());
    await business.failedPayment();
    await page.waitForFunction(
      (seen) => Number(document.querySelector('[data-live="jobs.failed"]').textContent) > seen,
      before,
    );
  });
});

test('a billing is marked as paid with the keyboard alone', async () => {
  const user = 'keyboard-1';
  await business.send(user, { type: 'Customer.Created', payload: { userId: user } });
  who = await person(chromium.browser);
  const { page } = who;
  const press = (key) => page.keyboard.press(key);
  /** Goes on by Tab until what has the focus says `text`. */
  const tabTo = async (text) => {
    for (let presses = 0; presses < 120; presses += 1) {
      await press('Tab');
      const said = await page.evaluate(() => {
        const element = document.activeElement;
        const label = element.labels?.[0]?.textContent ?? '';
        return [element.getAttribute('aria-label'), element.textContent, label].map((part) => (part ?? '').trim());
      });
      if (said.includes(text)) return;
    }
    throw new Error(`Tab never reaches \`${text}\` on ${page.url()}`);
  };
  await page.goto('/dashboard/login');
  await press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to content');
  await tabTo('Name');
  await page.keyboard.type('anna');
  await tabTo('Password');
  await page.keyboard.type((await import('./environment.mjs')).password);
  await press('Enter');
  await page.waitForURL(/\/dashboard$/);
  await tabTo('Billings');
  await press('Enter');
  await page.waitForURL(/\/dashboard\/billings/);
  for (let tries = 0; tries < 100; tries += 1) {
    await tabTo('Customer id');
    await page.keyboard.type(user);
    await press('Enter');
    await page.waitForURL(/user=keyboard-1/);
    if (await page.getByRole('button', { name: /^Mark paid: billing/ }).count()) break;
    await page.waitForTimeout(200);
    await page.goto('/dashboard/billings');
  }
  const label = await page.getByRole('button', { name: /^Mark paid: billing/ }).first().getAttribute('aria-label');
  await tabTo(label);
  await press('Enter');
  await page.getByText('Mark this billing as paid?').waitFor();
  await tabTo('Yes, do it');
  await press('Enter');
  await page.getByText(/^Billing \d+ is paid\.$/).waitFor();
  const billing = await business.billing.collection('billings').findOne({ userId: user });
  assert.equal(billing.isPaid, true);
  assert.ok(billing.paymentDate instanceof Date);
  await who.leave();
});

test('without scripts a waiting event is found and discarded', async () => {
  const user = 'scriptless-1';
  await business.send(user, { type: 'Customer.Suspended', payload: { userId: user } });
  who = await person(chromium.browser, { javaScriptEnabled: false });
  await who.signIn('anna');
  const { page } = who;
  for (let tries = 0; tries < 100; tries += 1) {
    await page.goto(`/dashboard/set-aside?user=${user}`);
    if (await page.getByRole('link', { name: 'Customer.Suspended' }).count()) break;
    await page.waitForTimeout(200);
  }
  await page.getByRole('link', { name: 'Customer.Suspended' }).click();
  assert.match(await page.locator('time').first().innerText(), /UTC$/);
  await page.getByRole('button', { name: 'Discard' }).click();
  await page.getByText('Discard this event for good?').waitFor();
  await page.getByRole('button', { name: 'Yes, do it' }).click();
  await page.getByText('Customer.Suspended was discarded.').waitFor();
  assert.equal(await business.billing.collection('event_set_aside').countDocuments({ userId: user }), 0);
  await who.leave();
});

test('a viewer sees everything, finds no button, and is refused when they try all the same', async () => {
  const payment = await business.failedPayment();
  who = await person(chromium.browser);
  await who.signIn('bob');
  const { page } = who;
  await page.goto(`/dashboard/job/${payment.jobId}`);
  await page.locator('#now .facts').first().getByText('failed', { exact: true }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Retry' }).count(), 0);
  // As if the button were there: the form of the page's own sign-out, sent elsewhere.
  await page.evaluate((path) => {
    const form = document.querySelector('form[action="/dashboard/logout"]');
    form.action = path;
    form.submit();
  }, `/dashboard/job/${payment.jobId}/retry`);
  await page.getByText('Your role is viewer, and this takes an operator.').waitFor();
  await who.leave();
});

test('somebody who is not signed in comes back to the page that they wanted', async () => {
  who = await person(chromium.browser);
  const { page } = who;
  await page.goto('/dashboard/billings?state=overdue');
  await page.getByLabel('Name').fill('anna');
  await page.getByLabel('Password').fill('wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('The name or the password is wrong.').waitFor();
  await page.getByLabel('Name').fill('anna');
  await page.getByLabel('Password').fill((await import('./environment.mjs')).password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL(/\/dashboard\/billings\?state=overdue$/);
  await who.leave();
});
