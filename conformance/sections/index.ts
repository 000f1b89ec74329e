import type { Section } from '../define.ts';
import { abortByKey } from './abort-by-key.ts';
import { abort } from './abort.ts';
import { allowlist } from './allowlist.ts';
import { asUpstream } from './as-upstream.ts';
import { auth } from './auth.ts';
import { compactEvents } from './compact-events.ts';
import { completeness } from './completeness.ts';
import { cors } from './cors.ts';
import { create } from './create.ts';
import { deletion } from './delete.ts';
import { errors } from './errors.ts';
import { finding } from './find.ts';
import { following } from './follow.ts';
import { head } from './head.ts';
import { headers } from './headers.ts';
import { idempotency } from './idempotency.ts';
import { limits } from './limits.ts';
import { longPoll } from './long-poll.ts';
import { outcomes } from './outcomes.ts';
import { prefer } from './prefer.ts';
import { read } from './read.ts';
import { recovery } from './recovery.ts';
import { respondAsync } from './respond-async.ts';
import { scope } from './scope.ts';
import { sse } from './sse.ts';
import { tokens } from './tokens.ts';
import { unread } from './unread.ts';
import { upstreamHead } from './upstream-head.ts';

/** The whole suite, in the order in which it is reported. */
export const SECTIONS: readonly Section[] = [
  create,
  headers,
  read,
  longPoll,
  sse,
  head,
  abort,
  deletion,
  auth,
  allowlist,
  cors,
  errors,
  limits,
  outcomes,
  idempotency,
  abortByKey,
  prefer,
  compactEvents,
  respondAsync,
  upstreamHead,
  recovery,
  completeness,
  unread,
  finding,
  following,
  scope,
  asUpstream,
  tokens,
];
