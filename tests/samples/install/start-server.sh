export JWT_SECRET="$(openssl rand -base64 32)"
export CHAT_KEY="$(openssl rand -base64 32)"
export OPENAI_API_KEY=sk-...
npx tsx server.ts
