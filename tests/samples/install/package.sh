npm install durable-proxy
