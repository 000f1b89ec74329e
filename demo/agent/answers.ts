/** An answer of the scripted model, long enough to be interrupted, and with characters that are easily cut wrongly. */
export interface Answer {
  /** Suggested question in the chat. */
  readonly prompt: string;
  /** Pattern of questions that get this answer. */
  readonly about: RegExp;
  readonly reasoning: string;
  readonly text: string;
}

export const ANSWERS: readonly Answer[] = [
  {
    prompt: 'What happens to a streamed answer when the connection drops?',
    about: /connection|stream|drop|resum|offline|network/i,
    reasoning:
      'They ask about a dropped connection. First what usually happens, then what happens here. A short ' +
      'list, one piece of code, and no more theory than it needs.',
    text: `Usually it is **gone**. The browser held the only reader, so when the socket closes, the tokens that follow have nowhere to go. Asking again starts from nothing, and is paid for again.

Here the answer has a life of its own:

1. **The server reads the model**, not the browser. Each piece is written to disk before anyone sees it.
2. **The page reads from an offset.** It knows the last byte that it received.
3. **The connection drops.** A tunnel, a lift, a laptop lid. The model does not notice. 🚇
4. **The page comes back** with its offset and receives the rest. Nothing is missing, nothing is there twice.

\`\`\`http
GET /v1/proxy/7f3c…?offset=0000000000001842&live=sse
\`\`\`

That is also why a reload works: the offset and the address of the stream are kept in the page's storage, so the new page picks up where the old one was.

> Try it now. Press *Cut the connection* while this text is still coming, or reload the page.

The page also shows what cannot be repaired. When the server itself dies during the answer, the answer ends as *interrupted*, and the page offers to try again, instead of turning a spinner for ever.

And if you have read this far without a cut: now would be a good time. ✂️ The last sentence will arrive all the same, and the model will have been called exactly once.`,
  },
  {
    prompt: 'Tell me a long story about a lighthouse keeper',
    about: /story|tale|lighthouse|poem/i,
    reasoning:
      'A long story. A keeper, a lamp, a ship, and a turn near the end. Plain words, some weather, ' +
      'and the log book should matter.',
    text: `### The log book

The lamp of Skarholm had gone out eleven times in forty years, and Marit had written down every one of them.

*12 November. Dark for nine minutes. Wick.* *3 March. Dark for half an hour. Gull.* She wrote the hour, the wind and the last ship she had seen, because a light that comes back is only useful to those who know where they were when it went.

Tonight the wind came from the north and brought the sea with it. 🌊 At ten past two the glass cracked, and the twelfth darkness fell over the water.

She did not run. She lit the small lamp, opened the book, and wrote:

> *02:10. Dark. Steamer «Aurora», two miles out, course south-west, all well.*

Then she climbed the hundred and twenty steps with a pane of glass on her back.

Out on the *Aurora* the young mate lost the light, and with it his nerve. He wanted to turn round and begin the whole approach again. The captain laid a hand on the wheel.

"Where were we?" he asked.

"Two miles out, sir. South-west."

"Then that is where we go on from."

When the light returned, at nineteen minutes to three, the steamer was exactly where Marit had expected her to be. She watched the ship pass the point, wrote one more line, and closed the book.

*02:41. Light. «Aurora» passed. Nothing lost.* ⚓️

---

In the morning the *Aurora* sent a boat. The captain himself climbed the hundred and twenty steps, slowly, with his hat in his hand, and asked to see the book.

Marit gave it to him. He turned the pages for a long time. There were storms in it that he had sailed through as a boy, on ships that nobody remembered, and beside each of them stood a line in the same even hand: *passed, all well*. Once, only once, a line ended in the middle. He put his finger on it and looked up.

"My father's," said Marit. "That was the night of the great flood. The sea took the lower rooms and him with them. He had got as far as the ship's name."

"And the ship?"

"I was eleven," she said. "I came up the stairs, and there was the pen, and there was the lamp, dark. So I lit it. Then I read the last line that was dry, and went on writing where he had stopped."

She took the book back and showed him. Where the old hand broke off, a child's letters continued, large and crooked, in the same sentence.

The captain said nothing for a while. Outside, gulls argued about the wind. 🐦

"People think that a lighthouse is the lamp," he said at last.

"The lamp goes out," said Marit. "Lamps do. What counts is that somebody knows how far we were."

He bought her a new pane in the harbour, and a barrel of oil, and, because he was a thoughtful man, a box of pens. She used the glass and the oil. The pens she gave to the girl who came up on Sundays to learn the light, together with a book whose pages were still white.

"What shall I write?" asked the girl.

"The time," said Marit. "The wind. And the last thing you were sure of."`,
  },
  {
    prompt: 'Say hello in ten writing systems',
    about: /hello|language|writing|\bscript|translate|\bhi\b/i,
    reasoning:
      'Ten scripts, so no two from the same one. Right-to-left ones belong in, and emoji made of several ' +
      'code points, because a cut in the middle of one would show.',
    text: `Ten ways to say hello, none of them in the same script:

- **Latin** · Hello, and *Zdravo* with a háček: Dobrý den, příteli
- **Greek** · Γειά σου, τι κάνεις;
- **Cyrillic** · Здравствуйте, как дела?
- **Arabic** · مرحبا، كيف حالك؟
- **Hebrew** · שלום, מה שלומך?
- **Devanagari** · नमस्ते, आप कैसे हैं?
- **Thai** · สวัสดีครับ สบายดีไหม
- **Chinese** · 你好，今天过得怎么样？
- **Japanese** · こんにちは、お元気ですか。
- **Korean** · 안녕하세요, 잘 지내셨어요?

Each of these letters is between one and four bytes long, and a network cuts where it likes: 世 is three bytes, 👋 is four, and a family such as 👩‍👩‍👧‍👦 is *twenty-five*, held together by joiners that nobody sees. A flag like 🇳🇿 is two letters that only mean something together, and 👍🏽 is a thumb with a colour behind it.

So a resumption must count **bytes**, not characters, and put them together again before anyone looks. If you see a � anywhere in this text, something went wrong, and we would like to know. 🙏

再见，さようなら，안녕히 가세요, وداعا, and goodbye.`,
  },
  {
    prompt: 'Show me code that reconnects a stream in TypeScript',
    about: /\bcode\b|function|typescript|javascript|python|snippet|program|example of/i,
    reasoning:
      'They want code. One function that can be copied, typed, without a library, and a few lines on what ' +
      'it leaves out.',
    // eslint-disable-next-line no-restricted-syntax -- Code that the answer shows.
    text: `This reads a stream from an offset, and reconnects at the last byte that it received:

\`\`\`ts
/** Reads a stream to its end, over as many connections as necessary. */
export async function* readStream(url: URL): AsyncGenerator<Uint8Array> {
  let offset = '-1';
  for (let attempt = 0; ; attempt++) {
    try {
      url.searchParams.set('offset', offset);
      const response = await fetch(url);
      if (!response.ok) throw new Error(\`The server responded \${response.status}\`);
      attempt = 0;
      yield new Uint8Array(await response.arrayBuffer());
      offset = response.headers.get('Stream-Next-Offset') ?? offset;
      if (response.headers.has('Stream-Closed')) return;
    } catch {
      // Full jitter: many readers must not come back in the same moment.
      const limit = Math.min(30_000, 250 * 2 ** attempt);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * limit));
    }
  }
}
\`\`\`

And its use:

\`\`\`ts
const decoder = new TextDecoder();
for await (const bytes of readStream(new URL(streamUrl))) {
  output.append(decoder.decode(bytes, { stream: true }));
}
\`\`\`

Three things are missing on purpose: a limit of the attempts, a *heartbeat* for connections that die without a sound, and a fresh URL when the signature expires. \`createDurableFetch\` has all three.`,
  },
  {
    prompt: 'Compare the ways to deliver a streamed answer in a table',
    about: /table|compare|comparison|versus|\bvs\b|difference/i,
    reasoning:
      'A table was asked for, so the table comes first. Four ways in the rows, and what happens to an answer in the columns.',
    text: `| Way | Survives a reload | Survives a crash | Second device | Model calls |
|---|:---:|:---:|:---:|---:|
| Plain \`fetch\` | no | no | no | 1 for each try |
| \`useChat\` | no | no | no | 1 for each try |
| WebSocket with a session | sometimes | no | no | 1 or 2 |
| Job queue and polling | yes | yes | yes | 1 |
| **Durable stream** | **yes** | **yes** | **yes** | **1** |

The first two lose the answer because the browser holds the only copy. A WebSocket keeps the session, but only as long as the process that owns it. A job queue keeps everything, and gives up on streaming.

A durable stream writes each piece *before* anyone reads it. Reading again is then free, and the last column stays at one.`,
  },
];

/** Returns the answer for a question: by the form that it asks for, then by its topic, otherwise by a hash of its text. */
export function answerFor(prompt: string, number: number): Answer {
  const forms = ANSWERS.toReversed();
  const answer = forms.find(({ about }) => about.test(prompt)) ?? ANSWERS[number % ANSWERS.length];
  if (answer === undefined) throw new Error('the scripted model has no answers');
  return answer;
}
