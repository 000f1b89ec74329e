// The folders of the code and what each may import. dependency-cruiser enforces this list (.dependency-cruiser.mjs), and
// docs/ARCHITECTURE.md shows it (scripts/layers-table.mjs).

/**
 * @typedef {object} Layer
 * @property {string} path a folder with a slash at its end, or one file
 * @property {string} holds what the table says about it
 * @property {readonly string[]} [imports] paths of the layers from which it may import anything
 * @property {readonly string[]} [types] paths of the layers from which it may import types only
 */

/**
 * Lower layers first. A file belongs to the layer with the longest path. In `imports`, a path stands for that layer alone,
 * except `server/`, which stands for all of its folders.
 *
 * @type {readonly Layer[]}
 */
export const LAYERS = [
  {
    path: 'protocol/',
    holds: 'the names on the wire: headers, query parameters, error codes, outcomes, control events',
  },

  {
    path: 'server/shared/',
    holds: 'errors, events, the logger, checks of options, header fields: code that every folder may use',
    imports: ['protocol/'],
  },
  {
    path: 'server/upstream/',
    holds: 'the allowlist, addresses, the headers of both directions, the request to the upstream',
    imports: ['protocol/', 'server/shared/'],
  },
  {
    path: 'server/auth/',
    holds: 'service credentials, tokens, signed URLs',
    // A token may narrow the allowlist.
    imports: ['protocol/', 'server/shared/', 'server/upstream/'],
  },
  {
    path: 'server/formats/',
    holds:
      'reads the formats of providers: whether an answer has ended, whether it is complete, its token usage',
    imports: ['protocol/', 'server/shared/'],
  },
  {
    path: 'server/coordination/',
    holds: 'how processes that share a store coordinate: claims, leases, names, messages; the interfaces',
    imports: ['protocol/', 'server/shared/'],
  },
  {
    path: 'server/store/',
    holds: '`StreamStore`, the interface of all stores, and what they share',
    imports: ['protocol/', 'server/shared/'],
    types: ['server/coordination/'],
  },
  {
    path: 'server/store/shared/',
    holds: 'the live tail of a stream and its readers, which all stores use',
    imports: ['protocol/', 'server/shared/', 'server/store/'],
  },
  {
    path: 'server/store/embedded/',
    holds: 'the embedded store: LMDB and a journal',
    // Version 0.1 kept claims and names in logs, which are read once.
    imports: [
      'protocol/',
      'server/shared/',
      'server/coordination/',
      'server/coordination/logs/',
      'server/store/',
      'server/store/shared/',
    ],
  },
  {
    path: 'server/store/redis/',
    holds: 'the store on Redis or Valkey',
    imports: ['protocol/', 'server/shared/', 'server/coordination/', 'server/store/', 'server/store/shared/'],
  },
  {
    path: 'server/store/durable-streams/',
    holds: 'the store on a Durable Streams server',
    imports: ['protocol/', 'server/shared/', 'server/coordination/', 'server/store/', 'server/store/shared/'],
  },
  {
    path: 'server/coordination/logs/',
    holds: 'the coordinator for stores without one of their own: it keeps everything in logs of the store',
    imports: ['protocol/', 'server/shared/', 'server/coordination/', 'server/store/'],
  },
  {
    path: 'server/testing/',
    holds: 'the contract suites of stores and coordinators, for any test runner',
    imports: ['protocol/', 'server/shared/', 'server/coordination/', 'server/store/'],
  },
  {
    path: 'server/quota/',
    holds: 'the storage quotas, in total and per subject',
    imports: ['protocol/', 'server/shared/', 'server/store/'],
  },
  {
    path: 'server/peers/',
    holds: 'closes the streams of processes that died',
    imports: ['server/shared/', 'server/coordination/', 'server/store/'],
  },
  {
    path: 'server/pump/',
    holds: 'copies the body of an upstream response to the store',
    imports: ['protocol/', 'server/shared/', 'server/upstream/', 'server/store/', 'server/formats/'],
    types: ['server/quota/'],
  },
  {
    path: 'server/recovery/',
    holds: 'continues a stream after its upstream failed',
    imports: [
      'protocol/',
      'server/shared/',
      'server/upstream/',
      'server/formats/',
      'server/store/',
      'server/pump/',
    ],
  },
  {
    path: 'server/webhooks/',
    holds: 'sends the result of each stream to a URL of the operator',
    imports: ['protocol/', 'server/shared/', 'server/upstream/', 'server/auth/', 'server/store/'],
    types: ['server/coordination/'],
  },
  {
    path: 'server/http/',
    holds: 'the request and response of a handler, request bodies, CORS, error responses',
    imports: ['protocol/', 'server/shared/', 'server/upstream/', 'server/store/'],
    types: ['server/auth/'],
  },
  {
    path: 'server/unread/',
    holds: 'finds the answers that no client reads in any process, and cancels them',
    imports: ['protocol/', 'server/shared/', 'server/store/', 'server/http/'],
  },
  {
    path: 'server/telemetry/',
    holds: 'metrics, traces and the checks of monitoring systems, from the events of the proxy',
    imports: ['protocol/', 'server/shared/', 'server/auth/', 'server/http/'],
    types: ['server/upstream/'],
  },
  {
    path: 'server/options.ts',
    holds: 'the types of the options',
    types: [
      'server/shared/',
      'server/upstream/',
      'server/auth/',
      'server/http/',
      'server/store/',
      'server/recovery/',
      'server/webhooks/',
      'server/telemetry/',
    ],
  },
  {
    path: 'server/options/',
    holds: 'the table of options: checks, defaults, flags',
    imports: ['server/shared/', 'server/upstream/', 'server/recovery/', 'server/webhooks/'],
    types: ['server/options.ts', 'server/auth/', 'server/http/', 'server/store/', 'server/telemetry/'],
  },
  {
    path: 'server/context.ts',
    holds: 'the type `Context`: the dependencies that all handlers of one proxy share',
    types: [
      'server/shared/',
      'server/telemetry/',
      'server/upstream/',
      'server/auth/',
      'server/options/',
      'server/coordination/',
      'server/store/',
      'server/quota/',
      'server/peers/',
      'server/pump/',
      'server/recovery/',
      'server/webhooks/',
      'server/unread/',
      'server/read/',
      'server/create/',
      'server/follow/',
    ],
  },
  {
    path: 'server/access/',
    holds: 'which stream a request may see, and its signed `Location`',
    imports: ['protocol/', 'server/shared/', 'server/auth/', 'server/http/', 'server/store/'],
    types: ['server/context.ts'],
  },
  {
    path: 'server/read/',
    holds: 'sends a stream to a reader: catch-up, long-poll, SSE',
    imports: ['protocol/', 'server/shared/', 'server/http/', 'server/store/', 'server/access/'],
    types: ['server/context.ts'],
  },
  {
    path: 'server/create/',
    holds: 'the stages of a POST, and the claim of its `Idempotency-Key`',
    imports: [
      'protocol/',
      'server/shared/',
      'server/upstream/',
      'server/http/',
      'server/coordination/',
      'server/store/',
      'server/formats/',
      'server/pump/',
      'server/recovery/',
      'server/webhooks/',
      'server/unread/',
      'server/access/',
      'server/read/',
    ],
    types: ['server/context.ts', 'server/options.ts', 'server/options/', 'server/auth/'],
  },
  {
    path: 'server/follow/',
    holds: 'events for the streams under a name, for other devices',
    imports: [
      'protocol/',
      'server/shared/',
      'server/http/',
      'server/store/',
      'server/pump/',
      'server/access/',
      'server/read/',
      'server/create/',
    ],
    types: ['server/context.ts', 'server/auth/', 'server/peers/'],
  },
  {
    path: 'server/streams/',
    holds: 'the other operations on a stream: head, abort, delete, find',
    imports: [
      'protocol/',
      'server/shared/',
      'server/http/',
      'server/store/',
      'server/peers/',
      'server/access/',
      'server/read/',
      'server/create/',
    ],
    types: ['server/context.ts'],
  },
  {
    path: 'server/inspectable.ts',
    holds: 'how an inspector reaches its proxy',
    types: ['server/context.ts', 'server/telemetry/'],
  },
  {
    path: 'server/inspector/wire/',
    holds: 'what the inspector sends to its page and to other processes; runs in browsers too',
    imports: ['protocol/'],
  },
  {
    path: 'server/inspector/',
    holds: "the operator's page: records answers, asks other processes, serves the page",
    imports: [
      'protocol/',
      'server/shared/',
      'server/auth/',
      'server/coordination/logs/',
      'server/http/',
      'server/store/',
      'server/read/',
      'server/streams/',
      'server/inspector/wire/',
    ],
    types: ['server/context.ts', 'server/inspectable.ts', 'server/telemetry/'],
  },
  {
    path: 'server/cli/',
    holds: 'the command; it uses the proxy by the name of the package',
    imports: ['server/shared/', 'server/upstream/', 'server/options/'],
  },
  {
    path: 'server/',
    holds:
      '`middleware.ts` (`durableProxy`), `web.ts` (`createDurableHandler`), `standalone.ts` (`createProxyServer`), `routes.ts` (the table of routes)',
    imports: ['protocol/', 'server/'],
  },

  {
    path: 'core-client/',
    holds: '`createDurableFetch`; no framework and no built-in modules of Node',
    imports: ['protocol/'],
  },
  {
    path: 'core-client/transports/',
    holds: 'adapters to AI SDKs, of which they import types only',
    imports: ['protocol/', 'core-client/'],
  },
  {
    path: 'react/',
    holds: 'the hooks',
    imports: ['protocol/', 'core-client/', 'core-client/transports/'],
  },
  {
    path: 'react/devtools/',
    holds: 'the panel for development',
    imports: ['protocol/', 'core-client/', 'core-client/transports/'],
  },
  {
    path: 'conformance/',
    holds: 'the tests of the protocol, as a function and a command',
    imports: ['protocol/'],
  },
  {
    path: 'inspector-page/',
    holds: "the operator's page, without a framework",
    imports: ['protocol/', 'server/inspector/wire/'],
  },
  {
    path: 'demo/',
    holds: 'a chat with a slow model, which uses the package by its name',
    imports: ['scripts/'],
  },
  {
    path: 'bench/',
    holds: 'the benchmark',
    imports: ['protocol/', 'server/', 'core-client/', 'tests/'],
  },
];
