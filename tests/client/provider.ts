import { hasRecordings, recording, type RecordingName } from '../support/recordings.ts';
import { seeded } from '../support/random.ts';
import { startUpstream, writeInPieces, type Upstream, type UpstreamCall } from '../support/upstream.ts';

const WORDS = ['Grüße', ' 你好', ' 👩‍👩‍👧', ' durable', '\n\n', ' `code`', ' строка', ' — ', 'the end'];

/** Handwritten streams in the formats of the providers, with many multi-byte characters that a cut can split. */
const OWN = {
  '/v1/chat/completions': [
    ...Array.from({ length: 120 }, (_, at) =>
      frame({
        id: 'chatcmpl-1',
        object: 'chat.completion.chunk',
        created: 1,
        model: 'm',
        choices: [
          { index: 0, delta: { role: 'assistant', content: WORDS[at % WORDS.length] }, finish_reason: null },
        ],
      }),
    ),
    frame({
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 120, total_tokens: 121 },
    }),
    'data: [DONE]\n\n',
  ].join(''),
  '/v1/messages': [
    event({
      type: 'message_start',
      message: {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'm',
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 1, output_tokens: 1 },
      },
    }),
    event({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }),
    ...Array.from({ length: 120 }, (_, at) =>
      event({
        type: 'content_block_delta',
        index: 0,
        delta: { type: 'text_delta', text: WORDS[at % WORDS.length] },
      }),
    ),
    event({ type: 'content_block_stop', index: 0 }),
    event({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: 120 },
    }),
    event({ type: 'message_stop' }),
  ].join(''),
} as const;

export type OwnPath = keyof typeof OWN;

function frame(data: object): string {
  return `data: ${JSON.stringify(data)}\n\n`;
}

function event(data: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${data.type}\n${frame(data)}`;
}

/** Returns the streams for the SDKs of a path: the handwritten one, and the recordings if they are available. */
export function streamsFor(path: string, ...recordings: RecordingName[]): { name: string; bytes: Buffer }[] {
  return [
    ...(path in OWN ? [{ name: 'our own', bytes: Buffer.from(OWN[path as OwnPath]) }] : []),
    ...(hasRecordings ? recordings.map((name) => ({ name, bytes: recording(name) })) : []),
  ];
}

/** Starts a provider that responds to each request with the given bytes, in pieces of random sizes. */
export function startProvider(bytes: () => Buffer, seed: number): Promise<Upstream> {
  return startUpstream(({ res }: UpstreamCall) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' });
    void writeInPieces(res, bytes(), seeded(seed), 900).then(
      () => res.end(),
      () => {},
    );
  });
}
