// #region
import { durableProxy } from 'durable-proxy';
import { durableInspector } from 'durable-proxy/inspector';
import express, { type Request } from 'express';

const app = express();
const proxy = durableProxy({
  jwtSecret: process.env.JWT_SECRET!,
  allowlist: ['https://api.openai.com/**'],
});
app.use('/v1/proxy', proxy);
app.use('/ops/streams', durableInspector(proxy, { authorize: (req) => isOperator(req as Request) }));
app.listen(3000);

/** Replace this with the session of your app. */
async function isOperator(req: Request): Promise<boolean> {
  return req.get('cookie')?.includes('role=operator') ?? false;
}
// #endregion
