import { expect, it } from 'vitest';
import { slotOf } from './slot.ts';

// Redis cluster specification, "Hash tags" and appendix A. The tests over a cluster compare with Redis itself.
it('computes the slot of a key from the text in its first braces', () => {
  expect(slotOf('123456789')).toBe(0x31c3);
  expect(slotOf('{user1000}.following')).toBe(slotOf('{user1000}.followers'));
  expect(slotOf('foo{}{bar}')).not.toBe(slotOf('bar'));
  expect(slotOf('foo{{bar}}zap')).toBe(slotOf('{bar'));
  expect(slotOf('foo{bar}{zap}')).toBe(slotOf('bar'));
});
