// Reads .env, which gets new secrets on the first start.
import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';

const secret = () => randomBytes(32).toString('base64');
if (!existsSync('.env'))
  writeFileSync('.env', `JWT_SECRET=${secret()}\nCHAT_KEY=${secret()}\n`, { mode: 0o600 });
process.loadEnvFile();

if (!process.env.OPENAI_API_KEY) {
  console.error('OPENAI_API_KEY is not set. Add a line OPENAI_API_KEY=sk-... to the file .env');
  process.exit(1);
}
