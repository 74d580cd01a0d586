/** Charts and figures in words. */

import { plural, timeLeft } from "../format.js";

/** A score as people read it; a dash where there is none. */
export function score(value) {
  return value === null || value === undefined ? "–" : value.toFixed(3);
}

const DOING = {
  "": "not begun",
  queued: "waiting for a conductor",
  learning: "learning the taste",
  evolving: "evolving",
  composing: "making the playlist",
  done: "round finished",
  failed: "failed",
  stopped: "stopped",
};

/** The figures of a run's head: {name: text}. */
export function figures({ run, progress, totals }) {
  return {
    status: run.status,
    round: progress.rounds ? `${progress.round} of ${progress.rounds}` : String(progress.round),
    generation: `${progress.generation} of ${progress.generations}`,
    doing: run.status === "running" ? DOING[progress.round_status] ?? progress.round_status : run.status,
    left: timeLeft(progress.seconds_left).replace(" left", "") || "–",
    best: score(totals.best),
    evaluations: String(totals.evaluations),
    player_seconds: totals.player_seconds.toFixed(1),
  };
}

/** What the curves of a measure show: where they began and where they are. */
export function curves(generations, measure) {
  if (!generations.length) return "Nothing was heard yet.";
  const first = generations[0][measure];
  const last = generations.at(-1)[measure];
  const { index } = generations.at(-1);
  if (index === 1) return `Generation 1: best ${measure} ${score(last.best)}, mean ${score(last.mean)}, worst ${score(last.worst)}.`;
  return `After ${plural(index, "generation")}: best ${measure} from ${score(first.best)} to ${score(last.best)}, mean from ${score(first.mean)} to ${score(last.mean)}, median ${score(last.median)}, worst ${score(last.worst)}.`;
}

/** What is known of the taste, round by round. */
export function taste(rounds, shown) {
  if (shown === "likes") {
    const rated = rounds.filter(({ liked, disliked }) => liked + disliked > 0);
    if (!rated.length) return "No playlist was rated yet.";
    return `Liked of the rated tracks, by round: ${rated.map(({ number, liked, disliked }) => `${number}: ${liked} of ${liked + disliked}`).join(", ")}.`;
  }
  const name = shown === "loss" ? "loss" : "spearman";
  const known = rounds.filter((round) => round[name] !== null);
  if (!known.length) return shown === "loss" ? "The learner told no loss yet." : "The truth is known of synthetic listeners only, from the end of their first round.";
  const first = known[0];
  const last = known.at(-1);
  if (shown === "loss") return `Loss of what was learned: ${score(first.loss)} in round ${first.number}, ${score(last.loss)} in round ${last.number}.`;
  return `Learned against true taste in round ${last.number}: Spearman ${score(last.spearman)} (${score(first.spearman)} in round ${first.number}), AUC ${score(last.auc)}, cosine ${score(last.cosine)}.`;
}

/** A candidate, in a sentence. */
export function candidate({ position, fitness, prompt, elite }, index) {
  return `Candidate ${position} of generation ${index}, fitness ${score(fitness)}${elite ? ", kept from before" : ""}: ${prompt || "no words for it"}`;
}
