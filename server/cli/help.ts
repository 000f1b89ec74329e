export const HELP = `durable-proxy: keeps streamed AI answers across dropped connections, reloads and deploys.

Usage
  JWT_SECRET=… npx durable-proxy --allow 'https://api.openai.com/**' [options]
  npx durable-proxy conformance [options]    test any server against the protocol

Upstreams
  --allow <pattern>               URLs that may be called, such as 'https://api.openai.com/**'. Repeatable.
                                  Without one, every upstream is refused.
  --allow-private-networks        let names that resolve to private addresses be upstreams

Server
  --port <number>                 default $PORT, else 4440; 0 takes a free one
  --host <name>                   default localhost; 0.0.0.0 for every interface
  --public-url <url>              public URL of the mount, path included; default: relative URLs
  --cors-origin <origin>          origins whose pages may call. Repeatable. Default: any
  --drain <seconds>               time for answers in flight after SIGTERM or SIGINT. Default 10
  --log-level <level>             debug, info (default), warn, error, silent. JSON lines, as pino writes them

Storage (one of)
  --data-dir <folder>             the embedded store. Default .durable-proxy
  --redis <url>                   Redis or Valkey; needs 'npm install redis'
  --durable-streams-url <url>     a Durable Streams server

  --durability <disk|process>     when the embedded store calls bytes safe: flushed to disk (default), or
                                  committed, which survives the process but not a power cut
  --durable-streams-header <h>    header of each request to it: 'Authorization: Bearer …'. Repeatable
  --ttl <seconds>                 how long an answer is kept after its last read or write. Default 86400
  --url-expiration <seconds>      how long a signed URL is good for. Default 86400

  -h, --help                      this text
  -v, --version                   the version

Environment
  JWT_SECRET   the service secret: openssl rand -base64 32. To rotate it, give the new one first and the old
               one behind a comma (new,old): the first signs, both are accepted.
  PORT         the port, when --port is not given
`;
