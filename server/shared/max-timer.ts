/**
 * Longest delay of a timer in Node, in milliseconds (about 24.8 days). Node replaces a longer one by 1 ms.
 * @see https://nodejs.org/api/timers.html#settimeoutcallback-delay-args
 */
export const MAX_TIMER_MS = 2 ** 31 - 1;
