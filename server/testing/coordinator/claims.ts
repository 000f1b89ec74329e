import { expect } from '../expect.ts';
import { claimOf, expectAborted, forever, newKey, until, type Suite } from './support.ts';

export function describeClaims({ it, section }: Suite): void {
  section('claims', (s) => {
    it('assign a new key to the first taker, in all processes', async () => {
      const [key, first] = [newKey(), claimOf(s.a)];
      expect(await s.a.claims.take(key, first)).toEqual(first);
      expect(await s.b.claims.take(key, claimOf(s.b, { fingerprint: 'another' }))).toEqual(first);
      expect(await s.a.claims.take(newKey(), claimOf(s.a))).not.toEqual(first);
    });

    it('assign a key to one of 40 takers', async () => {
      const key = newKey();
      const takers = Array.from({ length: 40 }, (_, i) => (i % 2 ? s.a : s.b));
      const claims = takers.map((taker) => claimOf(taker));
      const seen = await Promise.all(takers.map(({ claims: table }, i) => table.take(key, claims[i]!)));
      expect(new Set(seen.map(({ token }) => token)).size).toBe(1);
      expect(claims.map(({ token }) => token)).toContain(seen[0]!.token);
    });

    it('do not change when a taker repeats its call', async () => {
      const [key, first] = [newKey(), claimOf(s.a)];
      await s.a.claims.take(key, first);
      await s.a.claims.mark(key, first.token, 'kept');
      expect(await s.a.claims.take(key, first)).toEqual({ ...first, state: 'kept' });
    });

    it('assign a key to one of several takers that replace the same holder', async () => {
      const [key, dead] = [newKey(), claimOf(s.a)];
      await s.a.claims.take(key, dead);
      const claims = [claimOf(s.a), claimOf(s.b), claimOf(s.b)];
      const seen = await Promise.all(claims.map((claim, i) => (i ? s.b : s.a).claims.take(key, claim, dead)));
      expect(new Set(seen.map(({ token }) => token)).size).toBe(1);
      expect(claims.map(({ token }) => token)).toContain(seen[0]!.token);
    });

    it('are not replaced by a caller with an outdated view', async () => {
      const [key, old, holder] = [newKey(), claimOf(s.a), claimOf(s.b)];
      await s.a.claims.take(key, old);
      await s.b.claims.take(key, holder, old);
      expect(await s.a.claims.take(key, claimOf(s.a), old)).toEqual(holder);
    });

    it('are not replaced if the holder was aborted in the meantime', async () => {
      const [key, holder] = [newKey(), claimOf(s.a)];
      await s.a.claims.take(key, holder);
      await s.b.claims.mark(key, holder.token, 'aborted');
      expect(await s.a.claims.take(key, claimOf(s.a), holder)).toMatchObject({
        token: holder.token,
        state: 'aborted',
      });
    });

    it('change to kept, freed and aborted, as far as the state allows', async () => {
      const seen = async (...states: ('kept' | 'freed' | 'aborted')[]) => {
        const [key, claim] = [newKey(), claimOf(s.a)];
        await s.a.claims.take(key, claim);
        for (const state of states) await s.b.claims.mark(key, claim.token, state);
        return (await s.a.claims.take(key, claimOf(s.a))).state;
      };
      expect(await seen()).toBe('open');
      expect(await seen('kept')).toBe('kept');
      expect(await seen('freed')).toBe('freed');
      expect(await seen('aborted')).toBe('aborted');
      expect(await seen('freed', 'kept')).toBe('freed');
      expect(await seen('kept', 'freed')).toBe('freed');
      expect(await seen('aborted', 'kept')).toBe('aborted');
      expect(await seen('aborted', 'freed')).toBe('aborted');
      expect(await seen('kept', 'aborted')).toBe('aborted');
      expect(await seen('freed', 'aborted')).toBe('aborted');
    });

    it('record when a holder was aborted', async () => {
      const [key, claim, before] = [newKey(), claimOf(s.a), Date.now()];
      await s.a.claims.take(key, claim);
      await s.a.claims.mark(key, claim.token, 'aborted');
      const { abortedAt } = await s.b.claims.take(key, claimOf(s.b));
      expect(abortedAt).toBeGreaterThanOrEqual(before);
      expect(abortedAt).toBeLessThanOrEqual(Date.now());
    });

    it('can be created by an abort of an unknown key', async () => {
      const aborted = { fingerprint: '', state: 'aborted', abortedAt: 1_700_000_000_000 } as const;
      const [key, claim] = [newKey(), claimOf(s.a, aborted)];
      expect(await s.a.claims.take(key, claim)).toEqual(claim);
      expect(await s.b.claims.take(key, claimOf(s.b))).toEqual(claim);
    });

    it('ignore the marks of a process that lost the key', async () => {
      const [key, sleeper, holder] = [newKey(), claimOf(s.a), claimOf(s.b)];
      await s.a.claims.take(key, sleeper);
      await s.b.claims.take(key, holder, sleeper);
      for (const state of ['kept', 'freed', 'aborted'] as const)
        await s.a.claims.mark(key, sleeper.token, state);
      expect(await s.a.claims.take(key, claimOf(s.a))).toEqual(holder);
    });

    it('ignore marks of unknown keys', async () => {
      const [key, claim] = [newKey(), claimOf(s.a)];
      await s.a.claims.mark(key, claim.token, 'freed');
      expect(await s.a.claims.take(key, claim)).toEqual(claim);
    });

    it('wake watchers when the state or the holder changes', async () => {
      const [key, first, second] = [newKey(), claimOf(s.a), claimOf(s.b)];
      await s.a.claims.take(key, first);
      const watching = [s.a, s.b].map(({ claims }) => claims.watch(key, first, forever));
      await s.a.claims.mark(key, first.token, 'freed');
      await Promise.all(watching);
      const freed = { ...first, state: 'freed' } as const;
      const again = [s.a, s.b].map(({ claims }) => claims.watch(key, freed, forever));
      expect(await s.b.claims.take(key, second, freed)).toEqual(second);
      await Promise.all(again);
    });

    it('resolve a watch at once if the claim has already changed', async () => {
      const [key, first] = [newKey(), claimOf(s.a)];
      await s.a.claims.take(key, first);
      await s.a.claims.mark(key, first.token, 'kept');
      await s.b.claims.watch(key, first, forever);
      await s.b.claims.watch(key, claimOf(s.b), forever);
    });

    it('end a watch when its signal aborts', async () => {
      const [key, first] = [newKey(), claimOf(s.a)];
      await s.a.claims.take(key, first);
      await expectAborted((signal) => s.b.claims.watch(key, first, signal));
    });

    it('survive a restart', async () => {
      const [kept, aborted] = [newKey(), newKey()];
      const [first, second] = [claimOf(s.a), claimOf(s.b)];
      await s.a.claims.take(kept, first);
      await s.a.claims.mark(kept, first.token, 'kept');
      await s.b.claims.take(aborted, second);
      await s.b.claims.mark(aborted, second.token, 'aborted');
      await s.restart();
      expect(await s.a.claims.take(kept, claimOf(s.a))).toEqual({ ...first, state: 'kept' });
      expect(await s.b.claims.take(aborted, claimOf(s.b))).toMatchObject({
        token: second.token,
        state: 'aborted',
      });
    });
  });

  section(
    'claims that expire',
    (s) => {
      it('expire after their TTL', async () => {
        const [key, old] = [newKey(), claimOf(s.a)];
        await s.a.claims.take(key, old);
        await s.a.claims.mark(key, old.token, 'kept');
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        const claim = claimOf(s.b);
        await until(async () => (await s.b.claims.take(key, claim)).token === claim.token);
      });
    },
    1,
  );
}
