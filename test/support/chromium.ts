import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const BINARIES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const INSTALL = 'apt-get update && apt-get install -y --no-install-recommends chromium fonts-dejavu-core';

/** What keeps a browser from talking to anybody but the page under test. */
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A real browser with a profile of its own: CHROMIUM_PATH, else one on the path, else one installed by apt. */
export async function openBrowser(env: NodeJS.ProcessEnv = process.env): Promise<Browser> {
  const executablePath = env.CHROMIUM_PATH || onPath() || install();
  if (executablePath === undefined) {
    throw new Error(
      `The browser tests need Chromium: set CHROMIUM_PATH, or install it, on Debian or Ubuntu with: ${INSTALL}`,
    );
  }
  return chromium.launch({ executablePath, args: ARGS });
}

function onPath(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return BINARIES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

function install(): string | undefined {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  spawnSync('sh', ['-c', INSTALL], { stdio: ['ignore', 2, 2], env });
  return onPath();
}
