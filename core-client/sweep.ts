import { notify } from './notify.ts';
import { removeIf, type ConditionalStorage } from './remove-if.ts';
import type { Settings } from './settings.ts';
import { keysOf } from './storage.ts';
import { failed, unpack } from './stored.ts';

/**
 * What is stored for an unfinished answer, under `<storagePrefix>:<hash of the scope>:<kind>:<proxyUrl>:…`: `answer` is the
 * record of a request, `turn` and `run` tell a page of a chat or a run which request that is. The kind is also the
 * version of the format (docs/deployment.md, "Rolling deploys"): items of other kinds belong to later versions.
 */
const KIND = /^(answer|turn|run)$/;

/**
 * Removes the expired items of all scopes, and all items of version 0.1, which do not name their user. Has no effect on
 * a storage that does not list its keys. Never rejects.
 */
export async function sweep(
  storages: readonly ConditionalStorage[],
  { storagePrefix, onWarning }: Pick<Settings, 'storagePrefix' | 'onWarning'>,
): Promise<void> {
  for (const storage of storages) {
    try {
      await sweepOne(storage, `${storagePrefix}:`);
    } catch (cause) {
      notify(onWarning, failed('The storage could not remove expired items', cause));
    }
  }
}

async function sweepOne(storage: ConditionalStorage, prefix: string): Promise<void> {
  for (const name of (await keysOf(storage)) ?? []) {
    if (!name.startsWith(prefix)) continue;
    const [scope = '', kind = ''] = name.slice(prefix.length).split(':');
    if (KIND.test(scope)) await storage.removeItem(name);
    else if (KIND.test(kind)) await removeIf(storage, name, isStale);
  }
}

function isStale(text: string): boolean {
  try {
    return unpack(text) === undefined;
  } catch {
    return true;
  }
}
