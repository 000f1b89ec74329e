import { NUMBER_FLAGS, numberFlagsHelp } from './number-flags.ts';

const numbers = (kind: 'limits' | 'timeouts'): string =>
  numberFlagsHelp(
    NUMBER_FLAGS.filter(
      ({ option, spec }) =>
        option !== 'port' && ['ms', 'seconds'].includes(spec.unit) === (kind === 'timeouts'),
    ),
  );

export const HELP = `durable-proxy: keeps streamed AI responses across dropped connections, reloads and deploys.

Usage
  JWT_SECRET=… npx durable-proxy --allow 'https://api.openai.com/**' [options]
  npx durable-proxy conformance [options]    test any server against the protocol

Upstreams
  --allow <pattern>               URLs that may be called, such as 'https://api.openai.com/**'. Repeatable.
                                  Without one, every upstream is refused.
  --allow-private-networks        allow upstream names that resolve to private addresses
  --upstream-header <header>      adds a header to requests to a host. Repeatable. $NAME is replaced by the
                                  environment variable: 'api.openai.com: Authorization: Bearer $OPENAI_API_KEY'
  --recover <pattern>             upstream URLs whose broken streams are continued with Last-Event-ID. Repeatable.
  --no-recovery                   do not continue broken streams of OpenAI and Gemini

Server
  --port <number>                 default $PORT, else 4440; 0 selects a free port
  --host <name>                   default localhost; 0.0.0.0 for every interface
  --public-url <url>              public URL of the mount, including its path. Default: relative URLs
  --base-path <path>              path of the mount behind a reverse proxy that removes a part of the path
  --cors-origin <origin>          origin whose pages may send requests. Repeatable. Default: any
  --webhook-url <url>             receives a signed POST for each stream that closes; needs WEBHOOK_SECRET
  --metrics                       serve metrics for Prometheus at /metrics, for requests with the service secret
  --inspector                     serve the operator's page at /inspector; the password is the service secret
  --drain <seconds>               time for running responses after SIGTERM or SIGINT. Default 10
  --log-level <level>             debug, info (default), warn, error, silent. JSON lines, as pino writes them

Storage (one of)
  --data-dir <folder>             the embedded store. Default .durable-proxy
  --redis <url>                   Redis or Valkey; needs 'npm install redis'
  --durable-streams-url <url>     a Durable Streams server

  --durability <disk|process>     when the embedded store acknowledges bytes: once they are on disk (default), or once
                                  the OS has them, which survives a crash of the process but not a power failure
  --durable-streams-header <h>    header of each request to that server: 'Authorization: Bearer …'. Repeatable

Limits (Infinity disables one)
${numbers('limits')}

Timeouts
${numbers('timeouts')}

  -h, --help                      print this help
  -v, --version                   print the version

Environment
  JWT_SECRET      the service secret: openssl rand -base64 32. To rotate it, set the new secret, a comma and the
                  old secret (new,old): the first signs, both are accepted.
  WEBHOOK_SECRET  signs webhooks: echo "whsec_$(openssl rand -base64 32)"
  PORT            the port, if --port is not given
  HTTPS_PROXY, HTTP_PROXY, NO_PROXY
                  forward proxies for upstream requests, and hosts to reach without one
`;
