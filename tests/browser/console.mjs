// Drives Debian's chromium over a console: signs in by the link, sees a session, decides approvals with two people, works
// without JavaScript and with the keyboard alone, and has axe-core look at every page in light and dark, wide and narrow.
// Usage: node console.mjs STAND [DIRECTORY-FOR-PICTURES], where STAND is the example program `stand` of the crate `server`.
// Prints one line a test and closes with `N passed, N failed`. Exit: 0 all passed, 1 some failed, 69 no chromium here.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const [stand, pictures] = process.argv.slice(2);
const program = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);
if (!program) { console.log("no chromium here"); process.exit(69); }
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const state = mkdtempSync(join(tmpdir(), "ambit-browser-"));
const child = spawn(stand, [state, "--live"], { stdio: ["pipe", "pipe", "inherit"] });
const links = {};
for await (const line of createInterface({ input: child.stdout })) {
  const [name, link] = line.split(" ");
  links[name] = link;
  if (links.ana && links.ben) break;
}

const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const signedIn = async (name, options = {}) => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const faults = [];
  page.on("pageerror", (e) => faults.push(e.message));
  page.on("console", (m) => { if (m.type() === "error") faults.push(m.text()); });
  await page.goto(links[name]);
  await page.waitForURL("**/");
  return { context, page, faults, base: new URL(page.url()).origin };
};

// Axe runs in a world of its own, which the page's content security policy rightly does not let in otherwise.
const violations = async ({ context, page }) => {
  const session = await context.newCDPSession(page);
  const { frameTree } = await session.send("Page.getFrameTree");
  const { executionContextId: contextId } =
    await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id });
  await session.send("Runtime.evaluate", { expression: axe, contextId });
  const { result } = await session.send("Runtime.evaluate", {
    expression: "axe.run(document).then(r => JSON.stringify(r.violations.map(v => v.id + ' at ' + v.nodes.map(n => n.target.join(' ')).join(', '))))",
    awaitPromise: true, contextId,
  });
  await session.detach();
  return JSON.parse(result.value);
};

let passed = 0, failed = 0;
const test = async (name, body) => {
  try { await body(); passed += 1; console.log(`ok   ${name}`); }
  catch (e) { failed += 1; console.log(`FAIL ${name}\n${e.stack}`); }
};

const PAGES = ["/", "/sessions", "/session/5f0c7a31", "/session/5f0c7a31?show=stopped", "/record/40", "/record/40/proof",
  "/search?verdict=deny", "/approvals", "/approvals/A1", "/approvals/A3", "/guard", "/policy?command=git+push+--force",
  "/insight", "/evidence", "/no-such-page"];

try {
  const ana = await signedIn("ana");
  const ben = await signedIn("ben");

  await test("a link signs in once", async () => {
    const again = await (await browser.newContext()).newPage();
    const answer = await again.goto(links.ana);
    assert.equal(answer.status(), 401);
    assert.match(await again.textContent("h1"), /signs nobody in/);
  });

  await test("a session's story with its proof", async () => {
    await ana.page.goto(`${ana.base}/session/5f0c7a31`);
    await ana.page.getByText("a voucher is used twice").waitFor();
    assert.equal(await ana.page.locator(".subagent .call").count(), 3);
    const marked = ana.page.locator("mark", { hasText: "git push --force origin main" });
    await marked.waitFor();
    await ana.page.locator("li.stopped .permalink").first().click();
    await ana.page.waitForURL("**/record/*");
    await ana.page.getByText("holds", { exact: true }).waitFor();
  });

  await test("a call appears on an open page within a second", async () => {
    await ana.page.goto(`${ana.base}/session/5f0c7a31`);
    const calls = ana.page.locator("li.call");
    const before = await calls.count();
    await ana.page.waitForFunction((n) => document.querySelectorAll("li.call").length > n, before, { timeout: 10_000 });
    const told = await ana.page.locator("li.call time").last().getAttribute("datetime");
    const late = Date.now() - Date.parse(told);
    assert.ok(late < 1500, `it took ${late} ms`);
  });

  await test("what is opened stays open when the page is refreshed", async () => {
    await ana.page.goto(`${ana.base}/session/5f0c7a31`);
    const first = ana.page.locator("li.call > details").first();
    await first.locator("summary").click();
    const calls = await ana.page.locator("li.call").count();
    await ana.page.waitForFunction((n) => document.querySelectorAll("li.call").length > n, calls, { timeout: 10_000 });
    assert.equal(await first.evaluate((d) => d.open), true);
  });

  await test("the developer approves what is theirs", async () => {
    await ana.page.goto(`${ana.base}/approvals/A1`);
    await ana.page.getByRole("button", { name: "Approve" }).click();
    await ana.page.getByText("Approved; the call may run").waitFor();
    await ana.page.getByText("ana in console").waitFor();
  });

  await test("production takes two people in two browsers", async () => {
    await ana.page.goto(`${ana.base}/approvals/A2`);
    await ben.page.goto(`${ben.base}/approvals/A2`);
    await ana.page.getByRole("button", { name: "Approve" }).click();
    // The other one sees it without doing anything.
    await ben.page.getByText("1 of 2 needed people agreed").waitFor({ timeout: 5_000 });
    await ben.page.getByRole("button", { name: "Approve" }).click();
    await ben.page.getByText("Approved; the call may run").waitFor();
  });

  await test("a critical one defaults to no and wants a typed word", async () => {
    await ben.page.goto(`${ben.base}/approvals/A3`);
    assert.equal(await ben.page.evaluate(() => document.activeElement.textContent), "Deny");
    await ben.page.getByRole("button", { name: "Approve" }).click();
    // The browser itself holds the form back: nothing was sent.
    assert.ok((await ben.page.locator(".over").textContent()).includes("pending"));
  });

  await test("a denial carries the person's words", async () => {
    await ben.page.goto(`${ben.base}/approvals/A3`);
    await ben.page.getByLabel("Words for the agent").fill("scale it down instead");
    await ben.page.getByRole("button", { name: "Deny", exact: true }).click();
    await ben.page.getByText("Denied; the agent was told").waitFor();
    await ben.page.getByText("scale it down instead").waitFor();
  });

  await test("the keyboard alone", async () => {
    await ana.page.goto(`${ana.base}/session/5f0c7a31`);
    await ana.page.keyboard.press("j");
    await ana.page.keyboard.press("j");
    assert.equal(await ana.page.locator(".current").count(), 1);
    await ana.page.keyboard.press("g");
    await ana.page.keyboard.press("f");
    await ana.page.waitForURL("**/search");
    await ana.page.keyboard.press("/");
    await ana.page.keyboard.type("kubectl");
    await ana.page.keyboard.press("Enter");
    await ana.page.waitForURL("**/search?text=kubectl*");
    assert.ok(await ana.page.locator(".rows a.row").count() > 0);
  });

  await test("readable without JavaScript", async () => {
    const context = await browser.newContext({ javaScriptEnabled: false, storageState: await ana.context.storageState() });
    const page = await context.newPage();
    await page.goto(`${ana.base}/session/5f0c7a31?show=stopped`);
    assert.ok(await page.getByText("git push --force origin main").first().isVisible());
    await page.goto(`${ana.base}/record/40`);
    await page.getByRole("link", { name: "Prove that it is in the ledger" }).click();
    assert.ok(await page.getByText("holds", { exact: true }).isVisible());
    await context.close();
  });

  for (const scheme of ["light", "dark"]) {
    for (const width of [1280, 768, 390]) {
      await test(`every page is for everybody, ${scheme}, ${width} wide`, async () => {
        await ana.page.emulateMedia({ colorScheme: scheme });
        await ana.page.setViewportSize({ width, height: 900 });
        for (const path of PAGES) {
          await ana.page.goto(ana.base + path);
          // What axe looks at differs between the widest and the narrowest; between them only the room does.
          if (width !== 768) assert.deepEqual(await violations(ana), [], path);
          const over = await ana.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(over <= 0, `${path} is ${over} wider than the window`);
          if (pictures) {
            const name = path.replace(/[^a-z0-9]+/gi, "-").replace(/^-|-$/g, "") || "now";
            await ana.page.screenshot({ path: join(pictures, `${scheme}-${width}-${name}.png`) });
          }
        }
      });
    }
  }

  await test("no page reported a fault", async () => {
    const expected = /status of (401|404)|Connection closed|ERR_INCOMPLETE_CHUNKED|net::ERR_ABORTED/;
    assert.deepEqual([...ana.faults, ...ben.faults].filter((f) => !expected.test(f)), []);
  });

  await test("who signed out is out", async () => {
    await ben.page.goto(ben.base);
    await ben.page.getByRole("button", { name: "Sign out" }).click();
    await ben.page.getByText("Signed out").first().waitFor();
    assert.equal((await ben.page.goto(ben.base)).status(), 401);
  });
} finally {
  await browser.close();
  child.stdin.end();
  rmSync(state, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
