// The browsers, each started on one address without a driver and with a profile of its own.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { end, listening, run } from "./programs.mjs";

/** Nothing but the address is to be loaded: no updates, no telemetry, no start page, no checks of the network. */
const FIREFOX_PREFERENCES = {
  "app.normandy.enabled": false,
  "app.update.enabled": false,
  "browser.aboutwelcome.enabled": false,
  "browser.safebrowsing.downloads.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.search.update": false,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage_override.mstone": "ignore",
  "datareporting.healthreport.uploadEnabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "extensions.getAddons.cache.enabled": false,
  "extensions.update.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "http://127.0.0.1:9/",
  "toolkit.telemetry.enabled": false,
  "toolkit.telemetry.server": "",
  "toolkit.telemetry.unified": false,
};

const CHROMIUM_FLAGS = [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** Debian has it beside the library, and not on the path. */
const MINI_BROWSER = `/usr/lib/${{ x64: "x86_64", arm64: "aarch64" }[process.arch]}-linux-gnu/webkit2gtk-4.1/MiniBrowser`;

/** A screen without a picture; its number is the environment's DISPLAY. */
async function openScreen(environment) {
  const parameters = ["-displayfd", "1", "-screen", "0", "1440x900x24", "-nolisten", "tcp"];
  const [screen, display] = await listening("Xvfb", parameters, /^(\d+)$/, { env: environment });
  environment.DISPLAY = `:${display}`;
  return screen;
}

/** Each: the program, its parameters for an address, what it needs in the environment and in its profile's folder. */
const ENGINES = {
  chromium: {
    program: "chromium",
    parameters: (address, folder) => [...CHROMIUM_FLAGS, `--user-data-dir=${folder}`, address],
  },
  firefox: {
    program: "firefox-esr",
    parameters: (address, folder) => ["--headless", "--no-remote", "--profile", folder, address],
    // Root cannot have the sandbox for content.
    environment: { MOZ_DISABLE_CONTENT_SANDBOX: "1", MOZ_CRASHREPORTER_DISABLE: "1" },
    prepare(folder) {
      const lines = Object.entries(FIREFOX_PREFERENCES).map(([name, value]) => `user_pref("${name}", ${JSON.stringify(value)});\n`);
      writeFileSync(join(folder, "user.js"), lines.join(""));
    },
  },
  webkit: {
    program: MINI_BROWSER,
    parameters: (address) => ["--private", address],
    // There is neither a graphics card nor a session bus.
    environment: { GDK_BACKEND: "x11", NO_AT_BRIDGE: "1", WEBKIT_DISABLE_COMPOSITING_MODE: "1" },
    needsScreen: true,
  },
};

export const NAMES = Object.keys(ENGINES);

/** Opens `address` in a browser. `close` ends the browser and deletes its profile. */
export async function openBrowser(name, address) {
  const engine = ENGINES[name];
  const folder = mkdtempSync(join(tmpdir(), `grpcws-${name}-`));
  const environment = { ...process.env, HOME: folder, TMPDIR: folder, XDG_RUNTIME_DIR: folder, ...engine.environment };
  const remove = () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  process.once("exit", remove);
  const screen = engine.needsScreen ? await openScreen(environment) : undefined;
  engine.prepare?.(folder);
  const version = execFileSync(engine.program, ["--version"], { env: environment, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const browser = run(engine.program, engine.parameters(address, folder), { env: environment });
  return {
    version: version.trim(),
    printed: browser.printed,
    ended: browser.ended,
    async close() {
      end(browser);
      await browser.ended;
      if (screen !== undefined) {
        // It deletes its lock and its socket on this signal alone.
        end(screen, "SIGTERM");
        await screen.ended;
      }
    },
  };
}
