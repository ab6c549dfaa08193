// What only a narrow screen shows, and what a colour says before something is taken away.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Browser } from "playwright-core";

import { assertAccessible } from "./a11y.ts";
import { launch } from "./browser.ts";
import { call, invite, somebody, visit } from "./console.ts";

let browser: Browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

test("no word of the bar of a phone is cut, in either language, for those who see most pages", async () => {
  const eve = { ...somebody("eve"), role: "expert" };
  await call(eve, "/api/orgs", { name: "Acme" });
  for (const locale of ["en", "fr"] as const) {
    for (const width of [320, 375, 390]) {
      const { page, errors } = await visit(browser, "/pricing", eve, { locale, width });
      await page.locator("h1").waitFor();
      await page.evaluate(() => document.fonts.ready);
      const slots = await page.locator("nav.fixed > div:last-child > *").evaluateAll((all) =>
        all.map((slot) => {
          const word = slot.querySelector("span") ?? slot;
          const { width, height } = slot.getBoundingClientRect();
          return { word: word.textContent, cut: word.scrollWidth > word.clientWidth, width, height };
        }),
      );
      assert.equal(slots.length, 6);
      const wide = slots.reduce((sum, slot) => sum + slot.width, 0);
      assert.ok(Math.abs(wide - width) <= 1, `${wide} of ${width}`);
      for (const { word, cut, width: own, height } of slots) {
        assert.ok(!cut, `${word} is cut at ${width}`);
        assert.ok(own >= 44 && height >= 44, `${word}: ${own} x ${height}`);
      }
      assert.deepEqual(errors, []);
      await page.context().close();
    }
  }
});

test("members have room at 320 pixels: a line for the name, and the whole word of a role", async () => {
  const [ann, bob] = [somebody("ann"), somebody("bob")];
  const org = (await call(ann, "/api/orgs", { name: "Acme" })).id;
  await invite(ann, org, bob, "billing");
  for (const theme of ["light", "dark"] as const) {
    const { page, errors } = await visit(browser, `/orgs/${org}/members`, ann, { locale: "fr", theme, width: 320 });
    const role = page.getByRole("combobox", { name: /^Rôle de bob/i });
    await role.waitFor();
    assert.ok(((await role.boundingBox())?.width ?? 0) >= 150);
    const row = page.getByRole("row").filter({ has: role });
    assert.equal(await row.getByRole("cell").count(), 3, "rows and cells are still told as such");
    const [name, choice] = await Promise.all([row.getByRole("cell").first().boundingBox(), role.boundingBox()]);
    assert.ok((name?.width ?? 0) >= 280, `${name?.width}`);
    assert.ok((choice?.y ?? 0) >= (name?.y ?? 0) + (name?.height ?? 0), "the role is below the name");
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
    await assertAccessible(page, `members at 320, ${theme}`);
    assert.deepEqual(errors, []);
    await page.context().close();
  }
});

test("before something is taken away the button is red and names it, and the focus is on the way back, light and dark", async () => {
  const ann = somebody("ann");
  const org = (await call(ann, "/api/orgs", { name: "Acme" })).id;
  await call(ann, `/api/orgs/${org}/keys`, { name: "Website", environment: "test", scopes: ["pdf:read"] });
  for (const theme of ["light", "dark"] as const) {
    const { page, errors } = await visit(browser, `/orgs/${org}/keys`, ann, { theme });
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.getByRole("button", { name: "Website" }).click();
    await page.getByRole("dialog", { name: "Website" }).getByRole("button", { name: "Revoke key" }).click();
    const dialog = page.getByRole("dialog", { name: "Revoke Website?" });
    await dialog.waitFor();
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), "Cancel");
    await dialog.getByLabel("Reason").fill("leaked");
    const colour = await dialog.getByRole("button", { name: "Revoke key" }).evaluate((button) => getComputedStyle(button).backgroundColor);
    const [red = 0, green = 0, blue = 0] = colour.match(/[0-9.]+/g)?.map(Number) ?? [];
    assert.ok(red > 2 * green && red > 2 * blue, `${colour} is not red`);
    await assertAccessible(page, `the question before a key is revoked, ${theme}`);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog", { name: "Website" }).waitFor();
    assert.deepEqual(errors, []);
    await page.context().close();
  }
});
