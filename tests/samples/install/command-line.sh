export JWT_SECRET="$(openssl rand -base64 32)"
npx durable-proxy --port 4440 --allow 'https://api.openai.com/**'
