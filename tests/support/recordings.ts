import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = new URL('../../../shared/fixtures/provider-streams/', import.meta.url);

/** How a provider's payloads are put on the wire. */
type Framing = 'data-done' | 'event' | 'data-crlf';

const RECORDINGS = {
  'openai-chat-text': 'data-done',
  'deepseek-reasoning': 'data-done',
  'openai-responses-web-search': 'event',
  'anthropic-text': 'event',
  'anthropic-web-search': 'event',
  'google-text': 'data-crlf',
} as const satisfies Record<string, Framing>;

export type RecordingName = keyof typeof RECORDINGS;

export const recordingNames = Object.keys(RECORDINGS) as RecordingName[];

/** Recordings of real providers are in a folder beside the repository, if there are any. */
export const hasRecordings = existsSync(FOLDER);

/** The bytes of a recorded answer, as its provider put them on the wire. */
export function recording(name: RecordingName): Buffer {
  const lines = readFileSync(fileURLToPath(new URL(`${name}.chunks.txt`, FOLDER)), 'utf8')
    .split('\n')
    .filter(Boolean);
  const framing: Framing = RECORDINGS[name];
  if (framing === 'event') {
    return Buffer.from(
      lines
        .map((line) => `event: ${(JSON.parse(line) as { type: string }).type}\ndata: ${line}\n\n`)
        .join(''),
    );
  }
  if (framing === 'data-crlf') return Buffer.from(lines.map((line) => `data: ${line}\r\n\r\n`).join(''));
  return Buffer.from(`${lines.map((line) => `data: ${line}\n\n`).join('')}data: [DONE]\n\n`);
}
