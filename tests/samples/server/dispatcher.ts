import { readFileSync } from 'node:fs';
import { durableProxy } from 'durable-proxy';
import express from 'express';
import { Agent } from 'undici';

const connect = {
  cert: readFileSync(process.env.CLIENT_CERT!),
  key: readFileSync(process.env.CLIENT_KEY!),
  ca: readFileSync(process.env.GATEWAY_CA!),
};
const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: [process.env.GATEWAY!],
  dispatcher: new Agent({ connect }),
});
express().use('/v1/proxy', proxy).listen(3000);
