import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { SAMPLES } from '../samples/support/bundle.ts';
import { describeChatExample } from './chat-example.ts';
import { freePort } from './commands.ts';
import { EXAMPLES } from './example.ts';

it.each([
  ['server.ts', 'express-server.ts'],
  ['index.html', 'index.html'],
  ['src/main.tsx', 'main.tsx'],
  ['src/chat.tsx', 'chat.tsx'],
])('examples/express-react-chat/%s is the file of docs/react.md', async (file, sample) => {
  const example = await readFile(join(EXAMPLES, 'express-react-chat', file), 'utf8');
  expect(example).toBe(await readFile(join(SAMPLES, 'react', sample), 'utf8'));
});

describeChatExample('express-react-chat', {
  async prepare() {
    const [server, vite] = [await freePort(), await freePort()];
    const url = `http://localhost:${vite}`;
    return { url, env: { PORT: String(server), APP_URL: url }, ports: [server, vite] };
  },
  retryButton: 'Try again',
  isTyped: true,
});
