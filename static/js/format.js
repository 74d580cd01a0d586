/** Numbers as people read and hear them. */

/** Seconds as a clock: 0:07, 3:20, 1:02:03. */
export function clock(seconds) {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
  const tail = String(whole % 60).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${tail}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${tail}`;
}

/** Seconds as words, for a screen reader: "1 minute 5 seconds". */
export function spokenTime(seconds) {
  const whole = Number.isFinite(seconds) ? Math.max(0, Math.floor(seconds)) : 0;
  const minutes = Math.floor(whole / 60);
  const parts = minutes ? [plural(minutes, "minute")] : [];
  if (whole % 60 || !minutes) parts.push(plural(whole % 60, "second"));
  return parts.join(" ");
}

export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** What is left of a wait, without false precision: "a moment left", "about 4 seconds left". */
export function timeLeft(seconds) {
  if (seconds == null || !Number.isFinite(seconds)) return "";
  if (seconds < 1.5) return "a moment left";
  if (seconds < 90) return `about ${plural(Math.round(seconds), "second")} left`;
  return `about ${plural(Math.round(seconds / 60), "minute")} left`;
}
