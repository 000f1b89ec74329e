import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { durableProxy } from 'durable-proxy';

@Module({})
class AppModule {} // Your modules.

const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});
const app = await NestFactory.create(AppModule);
app.use('/v1/proxy', proxy); // Before `listen`, which adds the body parsers.
await app.listen(3000);

process.once('SIGTERM', async () => {
  await proxy.close(); // Waits up to 10 seconds for running responses.
  process.exit();
});
