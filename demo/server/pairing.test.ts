import express from 'express';
import request from 'supertest';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createPairing } from './pairing.ts';
import { createSessions } from './session.ts';

const SECRET = 'a secret of this test';

function start(origin: string | undefined = 'http://192.0.2.7:3000') {
  const sessions = createSessions(SECRET);
  const pairing = createPairing(sessions, origin);
  const app = express();
  app.use('/pair', pairing.router);
  app.get('/', sessions.middleware, (_req, res) => void res.end());
  const redeem = (code: string) => request(app).post('/pair/redeem').send({ code });
  return { app, pairing, redeem };
}

const codeIn = (url: string): string => /#\/pair\/([\w-]+)$/.exec(url)![1]!;

describe('pairing', () => {
  afterEach(() => void vi.useRealTimers());

  it('grants a device the session of the device that shows the code, once', async () => {
    const { app, redeem } = start();
    const cookie = (await request(app).get('/')).get('Set-Cookie')![0]!.split(';')[0]!;
    const { body } = await request(app).post('/pair').set('cookie', cookie);
    expect(body).toEqual({
      url: expect.stringMatching(/^http:\/\/192\.0\.2\.7:3000\/#\/pair\/[\w-]{22}$/) as string,
      expiresInSeconds: 120,
    });
    const paired = await redeem(codeIn((body as { url: string }).url));
    expect(paired.status).toBe(204);
    expect(paired.get('Set-Cookie')![0]).toContain(cookie);
    expect(paired.get('Set-Cookie')![0]).toMatch(/HttpOnly; SameSite=Strict/);
    expect((await redeem(codeIn((body as { url: string }).url))).status).toBe(403);
  });

  it('refuses a code after two minutes', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { pairing, redeem } = start();
    const code = codeIn(pairing.invite('someone'));
    vi.setSystemTime(Date.now() + 120_001);
    expect((await redeem(code)).status).toBe(403);
  });

  it('refuses a wrong code, and invites nobody without a session', async () => {
    const { app, redeem } = start();
    for (const code of ['', 'wrong', 7 as never]) {
      const refused = await redeem(code);
      expect(refused.status).toBe(403);
      expect(refused.get('Set-Cookie')).toBeUndefined();
    }
    expect((await request(app).post('/pair')).status).toBe(401);
  });
});
