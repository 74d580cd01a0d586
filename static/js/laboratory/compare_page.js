/** Runs beside each other: their curves in one picture, each in the colour of its row. */

import { embedded } from "../pages.js";
import { LINES } from "./colours.js";
import { LineChart } from "./line_chart.js";
import { score } from "./words.js";

const root = document.querySelector(".live");
const courses = embedded(root, "curves-json");
const chart = new LineChart({ place: root.querySelector("[data-chart=curves]") });
const DASHES = [undefined, [8, 4], [2, 3]];

function show() {
  const measure = root.querySelector("input[name=measure]:checked").value;
  const longest = Math.max(...courses.map((course) => course[measure].length));
  const last = (course) => course[measure].at(-1);
  const words = `${measure} fitness over the generations. Last: ${courses.map((course) => `${course.label} ${score(last(course))}`).join(", ")}.`;
  root.querySelector("[data-words=curves]").textContent = words[0].toUpperCase() + words.slice(1);
  chart.show({
    xs: Array.from({ length: longest }, (_, place) => place + 1),
    lines: courses.map((course, place) => ({
      label: course.label,
      values: Array.from({ length: longest }, (_, at) => course[measure][at] ?? null),
      colour: LINES[place],
      dash: DASHES[place % DASHES.length],
    })),
    across: "Generation",
    words,
  });
}

courses.forEach(({ label }, place) => {
  root.querySelector(`tr[data-label="${CSS.escape(label)}"]`)?.style.setProperty("--line-of-row", `var(${LINES[place]})`);
});
root.querySelector("[data-switch=measure]").addEventListener("change", show);
show();
