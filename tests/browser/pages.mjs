// Every page, with something on it.

import { setTimeout as pause } from 'node:timers/promises';

/** Puts something onto every page, and gives the pages by name. */
export async function populate(business, page) {
  const { jobId, orderId } = await business.failedPayment();
  await business.add('GET_ORDER', { orderId });
  const user = 'c-1001';
  await business.send(user, {
    type: 'Customer.Created',
    payload: { userId: user, address: { city: 'Cali', country: 'Colombia', address: 'Calle 13 #64-40' }, phone: { codeNumber: '+57', phoneNumber: 3001234567 } },
  });
  await business.send('c-1002', { type: 'Customer.Suspended', payload: { userId: 'c-1002' } });
  await business.send('c-1003', '{"type":"Customer.Created","payload":{"userId":"c-1003","name":"Ana"');
  await business.send('c-1004', Buffer.from([0, 0, 0, 0, 42, 8, 117, 45, 49, 255]));
  const waitFor = async (path, selector) => {
    for (let tries = 0; tries < 100; tries += 1) {
      await page.goto(path);
      const link = page.locator(selector).first();
      if (await link.count()) return link.getAttribute('href');
      await pause(200);
    }
    throw new Error(`${path} never shows ${selector}`);
  };
  const customer = await waitFor('/dashboard/customers', 'a[href^="/dashboard/customer?"]');
  const setAside = await waitFor('/dashboard/set-aside', 'a[href^="/dashboard/set-aside/"]');
  const letter = await waitFor('/dashboard/dead-letters', 'a[href^="/dashboard/dead-letters/"]:not([href*="replay"])');
  return {
    overview: '/dashboard',
    jobs: '/dashboard/jobs?state=failed',
    'jobs-search': `/dashboard/jobs/search?q=${encodeURIComponent(orderId)}`,
    'jobs-history': '/dashboard/jobs/history',
    job: `/dashboard/job/${encodeURIComponent(jobId)}`,
    orders: '/dashboard/orders',
    customers: '/dashboard/customers',
    customer,
    billings: '/dashboard/billings',
    events: '/dashboard/events',
    'set-aside': '/dashboard/set-aside',
    'set-aside-event': setAside,
    'dead-letters': '/dashboard/dead-letters',
    'dead-letter': letter,
    'dead-letters-replay': '/dashboard/dead-letters/replay?all=yes',
    audit: '/dashboard/audit',
    'no-such-page': '/dashboard/no-such-page',
  };
}

/** The pages that the navigation leads to, and those that were named. */
export async function everyPage(page, named) {
  await page.goto('/dashboard');
  const hrefs = await page.locator('header nav a').evaluateAll((links) => links.map((link) => link.getAttribute('href')));
  const known = new Set(Object.values(named).map((path) => path.split('?')[0]));
  const others = hrefs.filter((href) => !known.has(href));
  return { ...named, ...Object.fromEntries(others.map((href) => [href.split('/').pop(), href])) };
}
