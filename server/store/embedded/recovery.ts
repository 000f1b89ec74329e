import type { StreamEnd } from '../types.ts';
import { KIND_PROCESS } from '../metadata.ts';
import type { Disk } from './disk.ts';
import { OPEN_STREAMS, openKey, openSid, recordKey } from './keys.ts';
import { encodeRecord } from './record.ts';
import { eraseStream } from './stream.ts';

const INTERRUPTED: StreamEnd = {
  outcome: 'interrupted',
  error: { code: 'INTERRUPTED', message: 'The proxy stopped before this answer was complete' },
};

/** A full disk is no reason not to open. */
const IS_URGENT = true;

/**
 * Makes a directory that a process has left ready for the next: closes the streams that it left open. It
 * looks at those only, so it takes as long as there were streams running, however many are stored.
 * Gives the epoch of this opening.
 */
export async function recover(disk: Disk): Promise<number> {
  const epoch = disk.epoch() + 1;
  const open = disk.entries(OPEN_STREAMS, Number.MAX_SAFE_INTEGER);
  const left = open.map(({ key, value: id }) => ({ sid: openSid(key), id, record: disk.record(id) }));
  await disk.commit((to) => {
    disk.putEpoch(to, epoch);
    for (const { sid, id, record } of left) {
      const kind = record?.metadata['kind'];
      if (record?.sid !== sid) {
        to.remove(openKey(sid));
      } else if (kind === undefined) {
        to.put(recordKey(id), encodeRecord({ ...record, end: INTERRUPTED, tail: disk.chunksEnd(sid) }));
        to.remove(openKey(sid));
      } else if (kind === KIND_PROCESS) {
        // It told others that its process lived.
        to.remove(recordKey(id));
        eraseStream(to, sid, id, record.expiresAt);
      }
    }
  }, IS_URGENT);
  return epoch;
}
