import { geminiInteractionsRecovery, lastEventIdRecovery, openaiResponsesRecovery } from 'durable-proxy';

// For the option `recovery` of durableProxy and createProxyServer.
export const recovery = [
  openaiResponsesRecovery(),
  geminiInteractionsRecovery(),
  lastEventIdRecovery({
    match: 'https://agents.example.com/**',
    // Optional. Default: GET of the same URL.
    request: ({ headers, responseHeaders }) => ({
      url: `https://agents.example.com/runs/${responseHeaders.get('x-run-id')}`,
      headers,
    }),
  }),
];
