/**
 * What the server is making: the round in progress, the ratings given, the newest playlist.
 * Fed by the socket and, while that is down, by slow polling; a playlist is announced exactly once
 * however it became known.
 *
 * Events: "change" {state}, "playlist" {playlist, news}, "trouble" {message}.
 */

const IDLE = { round: null, playlist: null, rated: 0, needed: 0 };
const ENDED = new Set(["done", "failed", "cancelled"]);

export class Rounds extends EventTarget {
  #fetchPlaylist;
  #fetching = null;
  #known;
  state = IDLE;
  /** Whether the listener asked for the round that runs. */
  asked = false;

  /**
   * @param fetchPlaylist  async (id) => playlist
   * @param known  id of the newest playlist the page shows; null: there is none; undefined: not known
   */
  constructor({ fetchPlaylist, known }) {
    super();
    this.#fetchPlaylist = fetchPlaylist;
    this.#known = known;
  }

  get active() {
    return this.state.round !== null && !ENDED.has(this.state.round.status);
  }

  /** The page has shown this playlist: it is no news any more. */
  shown(id) {
    this.#known = id;
  }

  /** A whole state, from the page, the socket or the poll. */
  async take(state) {
    this.#set(state);
    if (state.playlist && state.playlist !== this.#known) await this.#fetch(state.playlist);
    else if (this.#known === undefined) this.#known = state.playlist;
  }

  receive(message) {
    if (message.type === "state") return this.take(message);
    if (message.type === "round.progress") this.#progressed(message.round);
    else if (message.type === "rating.stored") this.counted(message);
    else if (message.type === "playlist.ready") this.#arrived(message.playlist, true);
    else if (message.type === "error") this.#tell("trouble", { message: message.message });
    return undefined;
  }

  /** What a conductor says that has not noticed yet that its round was cancelled is old news. */
  #progressed(round) {
    const known = this.state.round;
    if (known?.status === "cancelled" && known.number === round.number && round.status !== "cancelled") return;
    this.#set({ round });
  }

  /** The answer to a rating: how many are in, and whether they have started a round. */
  counted({ rated, needed, evolving }) {
    const counts = { rated: rated ?? this.state.rated, needed: needed ?? this.state.needed };
    if (evolving && !this.active) this.#set({ ...counts, round: beginning() });
    else this.#set(counts);
  }

  begun(round) {
    this.#set({ round: round ?? beginning() });
  }

  async #fetch(id) {
    if (this.#fetching === id) return;
    this.#fetching = id;
    const news = this.#known !== undefined;
    try {
      this.#arrived(await this.#fetchPlaylist(id), news);
    } catch {
      // Still not known: the next state asks again.
    } finally {
      this.#fetching = null;
    }
  }

  #arrived(playlist, news) {
    if (playlist.id === this.#known) return;
    this.#known = playlist.id;
    this.#set({ round: null, playlist: playlist.id, rated: news ? 0 : this.state.rated });
    this.#tell("playlist", { playlist, news });
    this.asked = false;
  }

  #set(part) {
    this.state = { ...this.state, ...part };
    this.#tell("change", { state: this.state });
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function beginning() {
  return { number: null, status: "queued", message: "Your ratings are in. The next playlist begins.", generation: 0, generations: 0, best: [], seconds_left: null };
}
