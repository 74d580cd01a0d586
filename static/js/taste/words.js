/** Wishes in words. Pure. */

const SOME = 0.15;
const MUCH = 0.6;

/** A slider's place as a wish: "more of it", "none of it". */
export function wished(wanted) {
  if (Math.abs(wanted) < SOME) return "neither more nor less of it";
  if (wanted > 0) return wanted >= MUCH ? "much more of it" : "more of it";
  return wanted <= -MUCH ? "none of it" : "less of it";
}

/** What stands for a concept, after its name: "forgotten", "not until 22:10", "you want more of it". */
export function standing(edit, { time }) {
  if (edit.kind === "forget") return "forgotten";
  if (edit.kind === "not now") return `not until ${time(edit.until)}`;
  return `you want ${wished(edit.wanted)}`;
}

/** What an edit did, as a sentence without its full stop. */
export function done(edit) {
  const { concept } = edit;
  const name = `${concept[0].toUpperCase()}${concept.slice(1)}`;
  if (edit.kind === "forget") return `What was believed of “${concept}” is forgotten`;
  if (edit.kind === "not now") return `${name}: none of it in this session`;
  if (edit.kind === "withdrawn") return `${name} is left to your ratings`;
  return `${name}: ${wished(edit.wanted)}`;
}

/** A share as people read it: "68 %". */
export function percent(share) {
  return `${Math.round(100 * share)} %`;
}
