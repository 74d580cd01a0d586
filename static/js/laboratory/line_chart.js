/** Lines over whole numbers (generations, rounds): as wide as its place, in the theme's colours, described in words. */

import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { colour, onTheme } from "./colours.js";
import { axis, watchWidth } from "./frame.js";

const HEIGHT = 280;
const NARROW = 480;

export class LineChart {
  #place;
  #chart = null;
  #shown = null;
  #kind = "";

  /** @param place  the element that the chart fills; `words` (see show) become its description */
  constructor({ place }) {
    this.#place = place;
    this.#place.setAttribute("role", "img");
    watchWidth(place, (width) => this.#chart?.setSize({ width, height: height(width) }));
    onTheme(() => this.#draw({ anew: true }));
  }

  /**
   * Show lines [{label, values, colour: a custom property, dash, width}] over xs; null values are gaps.
   * A scale that is not given goes by what is shown.
   */
  show({ xs, lines, across, words, range = null }) {
    this.#shown = { xs, lines, across, range };
    this.#place.setAttribute("aria-label", words);
    this.#draw({ anew: false });
  }

  #draw({ anew }) {
    if (!this.#shown || !this.#place.clientWidth) return;
    const { xs, lines, across, range } = this.#shown;
    const data = [xs, ...lines.map(({ values }) => values)];
    const kind = JSON.stringify([across, range, lines.map(({ values, ...look }) => look)]);
    if (this.#chart && !anew && kind === this.#kind) {
      this.#chart.setData(data);
      return;
    }
    this.#chart?.destroy();
    this.#kind = kind;
    this.#chart = new uPlot(this.#options(this.#shown), data, this.#place);
  }

  #options({ lines, across, range }) {
    const place = this.#place;
    const width = place.clientWidth;
    return {
      width,
      height: height(width),
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      legend: { live: true },
      scales: { x: { time: false, range: (_, least, most) => (least === most ? [least - 0.5, most + 0.5] : [least, most]) }, y: range ? { range: () => range } : {} },
      axes: [axis(place, { label: across, whole: true }), axis(place, {})],
      series: [
        { label: across },
        ...lines.map(({ label, colour: name, dash, width: thickness = 2 }) => ({
          label,
          stroke: colour(place, name),
          width: thickness,
          dash,
          spanGaps: false,
          value: (_, value) => (value === null || value === undefined ? "–" : String(Math.round(value * 1000) / 1000)),
          points: { show: (chart) => chart.data[0].length < 40, size: 5, fill: colour(place, name) },
        })),
      ],
    };
  }
}

function height(width) {
  return width < NARROW ? HEIGHT - 50 : HEIGHT;
}
