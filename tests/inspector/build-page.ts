import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SCRIPT = fileURLToPath(new URL('../../scripts/inspector-page.mjs', import.meta.url));

/** Builds the operator's page to where the inspector looks for it. */
export async function buildInspectorPage(): Promise<void> {
  await promisify(execFile)(process.execPath, [SCRIPT]);
}
