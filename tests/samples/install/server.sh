npm install durable-proxy express ai @ai-sdk/openai
