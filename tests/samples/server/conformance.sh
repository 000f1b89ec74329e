npx durable-proxy conformance --url http://localhost:4440/v1/proxy --secret "$JWT_SECRET"
