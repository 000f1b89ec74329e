npm install durable-proxy @ai-sdk/react ai @tanstack/react-query
