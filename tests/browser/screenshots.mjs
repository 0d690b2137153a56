// Takes every page in light, in dark and as narrow as a phone: `cargo xtask browser --screenshots FOLDER`.

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { launch, person } from './browser.mjs';
import { openBusiness } from './business.mjs';
import { everyPage, populate } from './pages.mjs';

const folder = process.argv[2];
if (!folder) throw new Error('name the folder that the pictures go into');
await mkdir(folder, { recursive: true });

const looks = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  dark: { colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

const business = await openBusiness();
const { browser, close } = await launch();
try {
  const first = await person(browser);
  await first.signIn('anna');
  const pages = await everyPage(first.page, await populate(business, first.page));
  await first.context.close();
  for (const [look, options] of Object.entries(looks)) {
    const anna = await person(browser, options);
    await anna.page.goto('/dashboard/login');
    await anna.page.screenshot({ path: join(folder, `login-${look}.png`), fullPage: true });
    await anna.signIn('anna');
    for (const [name, path] of Object.entries(pages)) {
      await anna.page.goto(path);
      await anna.page.screenshot({ path: join(folder, `${name}-${look}.png`), fullPage: true });
    }
    await anna.context.close();
  }
} finally {
  await close();
  await business.close();
}
