/** What is known of a run: told whole, by generation, or by its pulse; whoever listens hears "change". */

const NOTHING = { run: null, progress: null, totals: null, rounds: [], generations: [] };

export class RunState extends EventTarget {
  known = NOTHING;

  get running() { return this.known.run?.status === "running"; }
  get generations() { return this.known.generations; }

  /** Take a message of the server. Whatever it is, generations stay in order and each is there once. */
  take({ type, run, progress, totals, rounds, generations }) {
    if (!["state", "generation", "pulse"].includes(type)) return;
    const kept = type === "state" ? [] : this.generations.filter((one) => !generations?.some(({ id }) => id === one.id));
    const merged = [...kept, ...(generations ?? [])].sort((one, other) => one.index - other.index);
    const grew = generations !== undefined;
    this.known = { run, progress, totals, rounds, generations: merged };
    this.dispatchEvent(new CustomEvent("change", { detail: { grew } }));
  }

  /** Whether generations are missing in between: a message was lost, and the whole state must be asked for. */
  get torn() {
    const { generations, totals } = this.known;
    return generations.some((one, place) => one.index !== place + 1) || (totals !== null && generations.length < totals.generations);
  }

  generation(id) {
    return this.generations.find((one) => one.id === id) ?? null;
  }

  /** The generation before, across rounds too; null before the first. */
  before(id) {
    const one = this.generation(id);
    return one ? this.generations.find(({ index }) => index === one.index - 1) ?? null : null;
  }
}
