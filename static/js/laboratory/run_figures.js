/** Which lines a run's charts have, and its tables. */

/** The best stands out, the worst stays back; each can be told by more than its colour. */
export const CURVES = [
  { name: "best", colour: "--line-1", width: 2.5 },
  { name: "mean", colour: "--line-2", width: 2 },
  { name: "median", colour: "--line-2", width: 1.5, dash: [6, 4] },
  { name: "worst", colour: "--line-3", width: 1.5, dash: [2, 3] },
];

const ROUND_LINES = {
  truth: [
    { name: "spearman", label: "Spearman", colour: "--line-1", width: 2.5 },
    { name: "auc", label: "AUC", colour: "--line-2", width: 2 },
    { name: "cosine", label: "cosine", colour: "--line-3", width: 1.5, dash: [6, 4] },
  ],
  loss: [{ name: "loss", label: "loss", colour: "--line-1" }],
  likes: [
    { name: "liked", label: "liked", colour: "--line-1", width: 2.5 },
    { name: "disliked", label: "disliked", colour: "--line-3", dash: [6, 4] },
  ],
};

/** The lines of the rounds' chart: "truth", "loss" or "likes" (of a playlist that was not rated: a gap). */
export function roundLines(rounds, shown) {
  const value = (round, name) => (shown === "likes" && round.liked + round.disliked === 0 ? null : round[name]);
  return ROUND_LINES[shown].map(({ name, ...look }) => ({ ...look, values: rounds.map((round) => value(round, name)) }));
}

/** Fill the body of a table: a row of texts for each; the first one is the row's head. */
export function table(body, items, texts) {
  body.replaceChildren(...items.map((item) => {
    const row = document.createElement("tr");
    texts(item).forEach((text, place) => {
      const cell = document.createElement(place ? "td" : "th");
      if (!place) cell.scope = "row";
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  }));
}
