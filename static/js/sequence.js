/** A playlist and the place in it. Immutable: every move gives a new one. */
export class Sequence {
  /** @param playlist  {id, number, tracks: [...]}, with at least one track */
  constructor(playlist, index = 0) {
    if (!playlist?.tracks?.length) throw new RangeError("a sequence needs a playlist with at least one track");
    this.playlist = playlist;
    this.index = Math.min(Math.max(0, index), playlist.tracks.length - 1);
  }

  get track() {
    return this.playlist.tracks[this.index];
  }

  get following() {
    return this.playlist.tracks[this.index + 1] ?? null;
  }

  get atStart() {
    return this.index === 0;
  }

  get atEnd() {
    return this.index === this.playlist.tracks.length - 1;
  }

  next() {
    return new Sequence(this.playlist, this.index + 1);
  }

  previous() {
    return new Sequence(this.playlist, this.index - 1);
  }

  /** At the track with this id; the same place when it is not in the playlist. */
  at(id) {
    const index = this.playlist.tracks.findIndex((track) => track.id === id);
    return index < 0 ? this : new Sequence(this.playlist, index);
  }

  /** At the first track that `rated` does not know, else at the first. */
  atFirstUnrated(rated) {
    const index = this.playlist.tracks.findIndex((track) => !rated(track.id));
    return new Sequence(this.playlist, Math.max(0, index));
  }
}
