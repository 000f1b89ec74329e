export HTTPS_PROXY=http://proxy.example.com:3128
export NO_PROXY=.svc.cluster.local,10.0.0.5
npx durable-proxy --allow 'https://api.openai.com/**' --allow 'http://model.svc.cluster.local:8000/**'
