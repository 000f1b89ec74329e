import { INTERRUPTED } from '../interrupted.ts';
import { isLeftOpen, metadataOf } from '../metadata.ts';
import type { LeftOpen } from './coordination/shared.ts';
import type { Disk } from './disk.ts';
import { OPEN_STREAMS, openKey, openSid, recordKey } from './keys.ts';
import { encodeRecord } from './record.ts';

/** Values of `kind` with which version 0.1 marks logs that outlive their process. */
const LEGACY_KINDS: ReadonlySet<string | undefined> = new Set(['claim', 'key', 'usage']);

/** Recovery may use the reserved space, so the store can open on a full disk. */
const IS_URGENT = true;

export interface Recovered {
  /** Number of this opening. */
  readonly opening: number;
  /** Open streams that the proxy continues or closes itself. */
  readonly leftOpen: readonly LeftOpen[];
}

/**
 * Prepares the directory after its last process: closes the streams that it left open as `interrupted`, except those
 * that the proxy continues or closes itself (`isLeftOpen`). Reads only the records in the index of open streams, so its
 * duration does not depend on how many streams, keys and claims are stored.
 */
export async function recover(disk: Disk): Promise<Recovered> {
  const opening = disk.opening() + 1;
  const open = disk.entries(OPEN_STREAMS, Number.MAX_SAFE_INTEGER);
  const left = open.map(({ key, value: id }) => ({ sid: openSid(key), id, record: disk.record(id) }));
  const leftOpen: LeftOpen[] = [];
  await disk.commit((to) => {
    disk.putOpening(to, opening);
    for (const { sid, id, record } of left) {
      // Version 0.1 has the logs of keys and claims in this index. They are removed from the index once, and stay
      // open.
      if (record?.sid === sid && isLeftOpen(record.metadata)) {
        leftOpen.push({ process: metadataOf(record).owner, streamId: id });
        continue;
      }
      if (record?.sid !== sid || LEGACY_KINDS.has(record.metadata['kind'])) {
        to.remove(openKey(sid));
      } else {
        to.put(recordKey(id), encodeRecord({ ...record, end: INTERRUPTED, tail: disk.chunksEnd(sid) }));
        to.remove(openKey(sid));
      }
    }
  }, IS_URGENT);
  return { opening, leftOpen };
}
