/**
 * Milliseconds to wait before try number `attempt` (0 is the first repetition).
 *
 * Doubles from `base` up to `limit`; the later half of the interval is random, so that
 * many browsers that lost one server do not all come back in the same instant.
 */
export function waitBefore(attempt, { base = 500, limit = 30_000, random = Math.random } = {}) {
  const whole = Math.min(limit, base * 2 ** Math.min(attempt, 30));
  return whole / 2 + (whole / 2) * random();
}
