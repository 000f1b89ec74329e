import { chromium } from 'playwright-core';
import { build, type Rollup } from 'vite';
import { commandPath } from '../../tests/requirements.ts';
import { cpuSeconds } from '../processes.ts';
import type { ClientMeasured, ClientTask } from './client-read.ts';

export interface Chromium {
  /** Runs the first task to warm up, and measures the second. */
  read(tasks: readonly [ClientTask, ClientTask]): Promise<ClientMeasured>;
  close(): Promise<void>;
}

const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-sync',
];

/** A browser whose pages have the client in them. @param url of an empty page, of the upstream's origin. */
export async function openChromium(url: string): Promise<Chromium> {
  const script = await bundle();
  const browser = await chromium.launch({ executablePath: commandPath('chromium'), args: ARGS });
  const session = await browser.newBrowserCDPSession();
  /** Of all its processes: the page's, the network's and the browser's own. */
  const cpuMs = async (): Promise<number> => {
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    return processInfo.reduce((sum, { id }) => sum + cpuSeconds(id) * 1_000, 0);
  };
  return {
    async read([warmUp, task]) {
      const page = await browser.newPage();
      await page.goto(url);
      await page.addScriptTag({ content: script });
      const read = (given: ClientTask) => page.evaluate((of) => window.readAnswers(of), given);
      await read(warmUp);
      const before = await cpuMs();
      const report = await read(task);
      const used = (await cpuMs()) - before;
      await page.close();
      return { ...report, cpuMs: used };
    },
    close: () => browser.close(),
  };
}

async function bundle(): Promise<string> {
  const entry = new URL('./client-page.ts', import.meta.url).pathname;
  const built = await build({
    configFile: false,
    logLevel: 'warn',
    build: { write: false, lib: { entry, formats: ['iife'], name: 'bench' } },
  });
  const [first] = [built].flat() as Rollup.RollupOutput[];
  return first!.output[0].code;
}
