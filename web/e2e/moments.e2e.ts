// What a person does in the console at the moments that decide, on the laptop's stack. Set up by the API, several at a time.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, suite, test } from "node:test";

import type { Browser } from "playwright-core";

import { launch } from "./browser.ts";
import { answerWebhooks, CONSOLE, call, callService, emailOf, invitationOf, migrateKeys, type Person, somebody, upload, visit } from "./console.ts";

const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==", "base64");
const TEXT = new TextEncoder().encode("# Notes\n\nLes phares d’Ouessant.\n");

let browser: Browser;

before(async () => {
  browser = await launch();
});

after(async () => {
  await browser?.close();
});

async function found(owner: Person): Promise<string> {
  return (await call(owner, "/api/orgs", { name: "Acme" })).id;
}

const issue = (owner: Person, org: string, name: string, more: object = {}) =>
  call(owner, `/api/orgs/${org}/keys`, { name, environment: "test", scopes: ["pdf:read"], ...more });

suite("moments", { concurrency: 3 }, () => {
  test("files: some of a batch are rejected, the rest is there; one opens, is renamed unless somebody was faster, and deleted", async () => {
    const ann = somebody("ann");
    const text = await upload(ann, "notes.md", "text/markdown", TEXT);
    const { page, errors } = await visit(browser, "/files", ann);
    const chosen = page.waitForEvent("filechooser");
    await page.getByRole("button", { name: "Upload files" }).click();
    await (await chosen).setFiles([
      { name: "photo.png", mimeType: "image/png", buffer: PNG },
      { name: "not a picture.png", mimeType: "image/png", buffer: Buffer.from("plain words") },
    ]);
    await page.getByText("1 of 2 ready, 1 failed").waitFor();
    await page.getByRole("button", { name: "Upload not a picture.png again" }).waitFor();

    await page.getByRole("button", { name: "Open photo.png" }).click();
    const panel = page.getByRole("dialog", { name: "photo.png" });
    const picture = panel.getByRole("img", { name: "photo.png" });
    await picture.waitFor();
    await page.waitForFunction(() => document.querySelector<HTMLImageElement>("dialog img")?.naturalWidth === 1);
    await panel.getByRole("button", { name: "Close" }).click();

    // The address alone opens a file.
    await page.goto(`${CONSOLE}/files?file=${encodeURIComponent(text)}`);
    const notes = page.getByRole("dialog");
    await notes.getByText("Les phares d’Ouessant.").waitFor();
    await call(ann, "/api/files/metadata", { s3Key: text, filename: "faster.md" }, "PATCH");
    await notes.getByLabel("Name").fill("slower.md");
    await notes.getByRole("button", { name: "Rename" }).click();
    await notes.getByText(/Its name is now faster\.md/).waitFor();
    await notes.getByRole("button", { name: "Rename" }).click();
    await page.getByRole("dialog", { name: "slower.md" }).waitFor();
    const saved = page.waitForEvent("download");
    await notes.getByRole("button", { name: "Download" }).click();
    assert.equal((await saved).suggestedFilename(), "slower.md");

    await notes.getByRole("button", { name: "Delete file" }).click();
    await page.getByRole("dialog", { name: "Delete slower.md?" }).getByRole("button", { name: "Delete file" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await page.getByRole("button", { name: "Open slower.md" }).count(), 0);
    await page.getByRole("link", { name: "Images", exact: true }).click();
    await page.waitForURL(/kind=image/);
    await page.getByRole("searchbox").fill("phot");
    await page.waitForURL(/q=phot/);
    await page.reload();
    assert.equal(await page.getByRole("searchbox").inputValue(), "phot");
    await page.getByRole("button", { name: "Open photo.png" }).waitFor();
    assert.deepEqual(errors, []);
    await page.context().close();
  });

  test("a call that was refused: the playground, a search and a receipt say which limiter, its numbers, and what to do", async () => {
    const ann = somebody("ann");
    const org = await found(ann);
    const key = await issue(ann, org, "Website", { daily_quota: 1 });
    assert.equal((await callService(key.key)).status, 200);
    const { page, errors } = await visit(browser, "/playground", ann);
    await page.getByLabel("API key").fill(key.key);
    await page.getByRole("button", { name: "Send" }).click();
    const refused = page.getByRole("region", { name: "Refused before it reached the service" });
    await refused.getByText("The key has made all its calls of today (UTC).").waitFor();
    await refused
      .getByRole("row", { name: /Calls today refused your call/ })
      .getByText("1 of 1")
      .waitFor();

    await page.goto(`${CONSOLE}/orgs/${org}/usage`);
    await page.getByRole("button", { name: "Why was a call refused?" }).click();
    const panel = page.getByRole("dialog", { name: "Why was a call refused?" });
    await panel.getByRole("textbox").fill(key.key);
    await panel.getByRole("button", { name: "Look" }).click();
    await panel.getByText("DAILY_QUOTA_EXCEEDED").waitFor();
    assert.ok(!page.url().includes(key.key));
    await panel.getByLabel("For a call that needs").selectOption("ai:write");
    await panel.getByText("INSUFFICIENT_SCOPE").waitFor();
    await panel.getByRole("button", { name: "Close" }).click();

    await page.getByRole("button", { name: "GET /api/v1/pdf/documents/1" }).click();
    await panel.getByText(/No limiter refused this call. The service answered 200/).waitFor();
    await panel.getByRole("link", { name: "Website", exact: true }).click();
    const about = page.getByRole("dialog", { name: "Website" });
    await about.getByText("DAILY_QUOTA_EXCEEDED").waitFor();
    await about.getByRole("button", { name: "Edit key" }).click();
    const form = page.getByRole("dialog", { name: "Edit Website" });
    await form.getByLabel("Calls a day").fill("5");
    await form.getByRole("button", { name: "Save" }).click();
    await about.getByText("A call would pass.").waitFor();
    assert.equal((await callService(key.key)).status, 200);

    await about.getByRole("button", { name: "Rotate key" }).click();
    await page.getByRole("dialog", { name: "Rotate Website?" }).getByRole("button", { name: "Rotate key" }).click();
    await page.getByRole("button", { name: "I have stored it" }).click();
    await page.getByRole("cell", { name: /previous text works for 23:59:/ }).waitFor();
    assert.deepEqual(errors, []);
    await page.context().close();
  });

  test("usage: the last 24 hours by key, each chart with an equal table and a CSV, a gap where nothing was called", async () => {
    const ann = somebody("ann");
    const org = await found(ann);
    const [one, other] = [await issue(ann, org, "Website"), await issue(ann, org, "Batch")];
    for (const key of [one, other, other]) assert.equal((await callService(key.key)).status, 200);
    const { page, errors } = await visit(browser, `/orgs/${org}/usage?days=1&by=key`, ann);
    const groups = page.getByRole("table", { name: "Key", exact: true });
    await groups.getByRole("row", { name: /Batch/ }).getByRole("cell", { name: "2", exact: true }).first().waitFor();
    const chart = page.getByRole("figure", { name: "Success rate" });
    await chart.getByText("As a table").click();
    const cells = await chart.getByRole("table").getByRole("cell").allTextContents();
    assert.equal(cells.length, 24);
    assert.equal(cells.filter((cell) => cell === "no data").length, 23);
    assert.ok(cells.includes("100%"));
    const saved = page.waitForEvent("download");
    await chart.getByRole("button", { name: "Download as CSV" }).click();
    const lines = readFileSync(await (await saved).path(), "utf8")
      .trim()
      .split("\r\n");
    assert.equal(lines.length, 25);
    assert.equal(lines.filter((line) => line.endsWith(",")).length, 23);
    for (const days of ["7 days", "92 days", "30 days"]) {
      await page.getByRole("link", { name: days }).click();
      await page.getByRole("figure", { name: "Calls by key" }).waitFor();
    }
    await page.getByRole("checkbox", { name: /Compare/ }).check();
    await page.waitForURL(/compare=true/);
    await page.getByText("before: 0 (–)").first().waitFor();
    assert.deepEqual(errors, []);
    await page.context().close();
  });

  test("a webhook that failed: its timeline, the answer, the next attempt, its real headers; edited and rotated", async () => {
    const ann = somebody("ann");
    const org = await found(ann);
    // The third attempt comes after a minute: until then the page says when.
    const url = await answerWebhooks(org, [500, 500, 500]);
    const endpoint = await call(ann, `/api/orgs/${org}/endpoints`, { url, events: ["job.completed"] });
    const { page, errors } = await visit(browser, `/orgs/${org}/webhooks?endpoint=${endpoint.id}`, ann);
    const panel = page.getByRole("dialog", { name: url });
    await panel.getByRole("button", { name: "Send a test" }).click();
    await panel.getByText("Attempt 2").waitFor();
    assert.equal(await panel.getByText("HTTP 500").count(), 2);
    await panel.getByText(/Next attempt in/).waitFor();
    const [delivery] = await call(ann, `/api/orgs/${org}/endpoints/${endpoint.id}/deliveries`);
    await panel.getByText(`webhook-id: ${delivery.id}`).waitFor();
    await panel.getByRole("listitem").getByText("Pending").waitFor();

    await panel.getByRole("button", { name: "Edit", exact: true }).click();
    const form = page.getByRole("dialog", { name: "Edit endpoint" });
    await form.getByLabel("key.issued").check();
    await form.getByRole("button", { name: "Save" }).click();
    await panel.getByText("job.completed key.issued").waitFor();
    await issue(ann, org, "Website");
    await panel.getByRole("button", { name: /key\.issued/ }).waitFor();

    await panel.getByRole("button", { name: "Rotate secret" }).click();
    await page.getByRole("dialog", { name: "Rotate the secret?" }).getByRole("button", { name: "Rotate secret" }).click();
    const secret = page.getByRole("dialog", { name: "Secret of the endpoint" });
    assert.match((await secret.locator("pre").first().textContent()) ?? "", /^whsec_/);
    await secret.getByRole("button", { name: "I have stored it" }).click();
    await panel.getByText(/the previous secret counts for 23:59:/).waitFor();
    await panel.getByRole("link", { name: "Failed" }).click();
    await panel.getByText("No delivery is in this state.").waitFor();
    assert.deepEqual(errors, []);
    await page.context().close();
  });

  test("keys of an older installation are named with the days that are left, until the last of them is rotated", async () => {
    const ann = somebody("ann");
    const org = await migrateKeys(ann, ["Shop", "Mobile app"]);
    const { page, errors } = await visit(browser, "/", ann);
    const banner = page.getByRole("region", { name: "Keys to rotate" });
    await banner.getByText(/2 keys come from the older installation\. Rotate by .*: (29|30) days are left/).waitFor();
    await banner.getByRole("link", { name: "Shop" }).click();
    const rotate = async (name: string) => {
      await page.getByRole("dialog", { name, exact: true }).getByRole("button", { name: "Rotate key" }).click();
      await page
        .getByRole("dialog", { name: `Rotate ${name}?` })
        .getByRole("button", { name: "Rotate key" })
        .click();
      await page.getByRole("button", { name: "I have stored it" }).click();
    };
    await rotate("Shop");
    await banner.getByText("1 of 2 rotated").waitFor();
    assert.equal(await banner.getByRole("link", { name: "Shop" }).count(), 0);
    await banner.getByRole("link", { name: "Mobile app" }).click();
    await rotate("Mobile app");
    await banner.waitFor({ state: "detached" });
    await page.goto(`${CONSOLE}/orgs/${org}/keys`);
    await page.getByRole("button", { name: "Mobile app" }).waitFor();
    assert.equal(await banner.count(), 0);
    assert.deepEqual(errors, []);
    await page.context().close();
  });

  test("an organisation: invite, join, change a role, rename, leave, and delete with its name typed", async () => {
    const [ann, bob] = [somebody("ann"), somebody("bob")];
    const org = await found(ann);
    const { page, errors } = await visit(browser, `/orgs/${org}/members`, ann);
    await page.getByLabel("E-mail").fill(emailOf(bob));
    await page.getByRole("button", { name: "Invite" }).click();
    await page.getByText(`The invitation to ${emailOf(bob)} was sent.`).waitFor();
    await page.getByRole("row", { name: new RegExp(emailOf(bob)) }).waitFor();

    const guest = await visit(browser, `/invitations/accept?token=${await invitationOf(bob)}`, bob);
    await guest.page.getByRole("button", { name: "Join" }).click();
    await guest.page.getByText("You joined Acme as developer.").waitFor();
    await guest.page.goto(`${CONSOLE}/orgs/${org}/members`);
    await guest.page.getByRole("button", { name: "Leave" }).waitFor();

    await page.reload();
    await page.getByText("No invitation is open.").waitFor();
    const role = page.getByRole("combobox", { name: /^Role of bob/i });
    await role.selectOption("billing");
    await page.getByLabel("Name").fill("Acme & Söhne");
    await page.getByRole("button", { name: "Rename" }).click();
    await page.getByRole("combobox", { name: "Organisation" }).getByText("Acme & Söhne").waitFor({ state: "attached" });

    await guest.page.reload();
    await guest.page.getByRole("button", { name: "Leave" }).click();
    await guest.page.getByRole("dialog", { name: "Leave Acme & Söhne?" }).getByRole("button", { name: "Leave organisation" }).click();
    await guest.page.getByRole("heading", { name: /^Hello/ }).waitFor();
    assert.deepEqual(await call(bob, "/api/orgs"), []);

    await page.getByRole("button", { name: "Delete organisation" }).click();
    const last = page.getByRole("dialog", { name: "Delete Acme & Söhne?" });
    const confirm = last.getByRole("button", { name: "Delete organisation" });
    assert.ok(await confirm.isDisabled());
    const [{ slug }] = await call(ann, "/api/orgs");
    await last.getByRole("textbox").fill(slug);
    await confirm.click();
    await page.getByRole("heading", { name: /^Hello/ }).waitFor();
    assert.deepEqual(await call(ann, "/api/orgs"), []);
    assert.deepEqual([...errors, ...guest.errors], []);
    await Promise.all([page.context().close(), guest.page.context().close()]);
  });

  test("the audit log names who did what, and leads to the key", async () => {
    const ann = somebody("ann");
    const org = await found(ann);
    await issue(ann, org, "Website");
    const { page, errors } = await visit(browser, `/orgs/${org}/members`, ann);
    await page.getByRole("link", { name: "Audit log" }).click();
    await page.getByText("org.created").waitFor();
    await page.getByRole("navigation", { name: "About" }).getByRole("link", { name: "Keys" }).click();
    await page.waitForURL(/action=key/);
    await page.getByText("org.created").waitFor({ state: "detached" });
    await page.getByRole("table").getByRole("link", { name: "Website" }).click();
    await page.getByRole("dialog", { name: "Website" }).getByRole("link", { name: "Its history" }).click();
    await page.getByRole("button", { name: "Only Website: show all" }).waitFor();
    assert.deepEqual(errors, []);
    await page.context().close();
  });
});
