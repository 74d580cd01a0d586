/** The population as points: click one, or go from one to the next by keys. Event "select" {key}, "play" on Enter. */

import uPlot from "../../vendor/uplot/uPlot.esm.js";
import { colour, onTheme } from "./colours.js";
import { axis, watchWidth } from "./frame.js";
import { flatten, nearest, placeOf, step } from "./points.js";

const HEIGHT = 360;
const REACH = 24; // pixels
const LABELS = { generation: "Generation", likeness: "Likeness", artefacts: "Artefacts" };

export class PointChart extends EventTarget {
  #place;
  #chart = null;
  #points = flatten([], "generation");
  #generations = [];
  #across = "generation";
  #selected = null;
  #rings = { selected: ring("selected"), hovered: ring("hovered") };

  constructor({ place }) {
    super();
    this.#place = place;
    watchWidth(place, (width) => this.#chart?.setSize({ width, height: HEIGHT }));
    onTheme(() => this.#draw());
    place.addEventListener("keydown", (event) => this.#pressed(event));
  }

  show(generations, { across = this.#across } = {}) {
    const anew = across !== this.#across || !this.#chart;
    this.#generations = generations;
    this.#across = across;
    this.#points = flatten(generations, across);
    if (anew) this.#draw();
    else this.#chart.setData(this.#columns());
  }

  select(key) {
    this.#selected = key;
    this.#ring("selected", placeOf(this.#points, key));
  }

  #choose(key) {
    this.select(key);
    this.dispatchEvent(new CustomEvent("select", { detail: { key } }));
  }

  #pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (event.key === "Enter" && this.#selected) {
      event.preventDefault();
      this.dispatchEvent(new CustomEvent("play", { detail: { key: this.#selected } }));
      return;
    }
    const key = step(this.#points, this.#selected, event.key);
    if (key === null) return;
    event.preventDefault();
    this.#choose(key);
  }

  /** Ordinary points, those of the newest generation, elites: each kind is a series with gaps for the others. */
  #columns() {
    const { xs, ys, elites, newest } = this.#points;
    const only = (wanted) => ys.map((y, place) => (wanted(place) ? y : null));
    return [
      xs,
      only((place) => !elites[place] && !newest[place]),
      only((place) => !elites[place] && newest[place]),
      only((place) => elites[place]),
    ];
  }

  #draw() {
    if (!this.#place.clientWidth) return;
    this.#chart?.destroy();
    this.#chart = new uPlot(this.#options(), this.#columns(), this.#place);
    this.#chart.over.append(this.#rings.hovered, this.#rings.selected);
    this.#follow(this.#chart);
    this.#placeRings();
  }

  #options() {
    const place = this.#place;
    const whole = this.#across === "generation";
    const kind = (label, name, size) => ({
      label,
      stroke: colour(place, name),
      paths: () => null,
      points: { show: true, size, width: 1, fill: colour(place, name) },
    });
    return {
      width: place.clientWidth,
      height: HEIGHT,
      cursor: { drag: { x: false, y: false }, points: { show: false }, x: false, y: false },
      legend: { live: false, markers: { fill: (chart, series) => chart.series[series].points.fill(chart, series) } },
      scales: { x: { time: false, range: (_, least, most) => (whole ? [Math.min(0.5, least ?? 0.5), Math.max(1.5, Math.ceil((most ?? 1) - 0.3) + 0.5)] : padded(least, most)) } },
      axes: [axis(place, { label: LABELS[this.#across], whole }), axis(place, {})],
      series: [{ label: LABELS[this.#across] }, kind("candidate", "--wave", 5), kind("of the newest generation", "--accent", 6), kind("kept from before", "--line-2", 7)],
      hooks: { draw: [() => this.#placeRings()] },
    };
  }

  #follow(chart) {
    const found = (event) => {
      const box = chart.over.getBoundingClientRect();
      return nearest(this.#points, {
        left: event.clientX - box.left,
        top: event.clientY - box.top,
        reach: REACH,
        toLeft: (x) => chart.valToPos(x, "x"),
        toTop: (y) => chart.valToPos(y, "y"),
      });
    };
    chart.over.addEventListener("pointermove", (event) => this.#ring("hovered", found(event)));
    chart.over.addEventListener("pointerleave", () => this.#ring("hovered", -1));
    chart.over.addEventListener("click", (event) => {
      const place = found(event);
      if (place !== -1) this.#choose(this.#points.keys[place]);
    });
  }

  #placeRings() {
    this.#ring("selected", placeOf(this.#points, this.#selected));
    this.#ring("hovered", -1);
  }

  #ring(name, place) {
    const element = this.#rings[name];
    element.hidden = place === -1 || !this.#chart;
    if (element.hidden) return;
    const left = this.#chart.valToPos(this.#points.xs[place], "x");
    const top = this.#chart.valToPos(this.#points.ys[place], "y");
    element.style.transform = `translate(${left}px, ${top}px)`;
  }
}

function ring(name) {
  const element = document.createElement("div");
  element.className = `point-ring point-ring-${name}`;
  element.hidden = true;
  return element;
}

function padded(least, most) {
  if (least === null || most === null || least === undefined) return [0, 1];
  const room = Math.max(0.02, (most - least) * 0.05);
  return [least - room, most + room];
}
