// Keys in place of a mouse, and what a screen reader hears.

import type { Page } from "playwright-core";

/** Presses Tab until what has the focus has a name. Throws an error if nothing on the way has it. */
export async function tabTo(page: Page, name: RegExp, tries = 60): Promise<void> {
  const passed: string[] = [];
  for (let pressed = 0; pressed < tries; pressed += 1) {
    await page.keyboard.press("Tab");
    const label = await page.evaluate(() => {
      const on = document.activeElement as HTMLInputElement | null;
      return (on?.ariaLabel ?? on?.labels?.[0]?.textContent ?? on?.textContent ?? "").trim();
    });
    if (name.test(label)) return;
    passed.push(label);
  }
  throw new Error(`Tab does not lead to ${name}, but to: ${passed.join(" | ")}`);
}

/** Keeps what live regions say from now on. Returns a function that waits until something was said. */
export async function listen(page: Page): Promise<(text: RegExp) => Promise<void>> {
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(window, { said });
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        const on = target instanceof Element ? target : target.parentElement;
        const region = on?.closest('[role="status"], [role="alert"], [aria-live]');
        if (region?.textContent) said.push(region.textContent);
      }
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
  });
  return async (text) => {
    await page.waitForFunction(
      ([source, flags]) => (window as unknown as { said: string[] }).said.some((one) => new RegExp(source as string, flags).test(one)),
      [text.source, text.flags],
      { timeout: 15_000 },
    );
  };
}
