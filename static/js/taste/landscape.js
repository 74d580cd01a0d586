/** What is believed of music in general, as land and sea: likeness over the map, smoothed, with lines of equal height. */

/** Columns of the grid; the rows follow from the shape of the map. */
const COLUMNS = 72;
/** How far a song's likeness reaches, as a share of the map's width. */
const REACH = 0.085;
/** Where there are no songs the land is flat: so much of one song's weight counts for 0. */
const FLAT = 0.35;
/** Heights of the lines, as shares of the highest. */
export const LEVELS = [-0.7, -0.45, -0.2, 0.2, 0.45, 0.7];

/**
 * Likeness on a grid, scaled to [-1, 1], row by row from the top.
 *
 * @param songs  [{x, y, likeness}] with places in pixels of a map of `width` and `height`
 */
export function field(songs, { width, height }) {
  const columns = COLUMNS;
  const rows = Math.max(8, Math.round((columns * height) / width));
  const values = new Float32Array(columns * rows);
  const scale = 1 / (2 * (REACH * width) ** 2);
  let highest = 0;
  for (let row = 0; row < rows; row += 1) {
    const y = (row * height) / (rows - 1);
    for (let column = 0; column < columns; column += 1) {
      const x = (column * width) / (columns - 1);
      let weights = FLAT;
      let sum = 0;
      for (const song of songs) {
        const weight = Math.exp(-((song.x - x) ** 2 + (song.y - y) ** 2) * scale);
        weights += weight;
        sum += weight * song.likeness;
      }
      const value = sum / weights;
      values[row * columns + column] = value;
      highest = Math.max(highest, Math.abs(value));
    }
  }
  if (highest > 0) for (let index = 0; index < values.length; index += 1) values[index] /= highest;
  return { values, columns, rows };
}

/** The line of equal height as pieces [x1, y1, x2, y2] in units of the grid (marching squares). */
export function contour({ values, columns, rows }, level) {
  const pieces = [];
  for (let row = 0; row + 1 < rows; row += 1) {
    for (let column = 0; column + 1 < columns; column += 1) {
      const at = row * columns + column;
      const ends = crossings(values[at], values[at + 1], values[at + columns + 1], values[at + columns], level);
      for (let index = 0; index + 1 < ends.length; index += 2) {
        pieces.push([column + ends[index][0], row + ends[index][1], column + ends[index + 1][0], row + ends[index + 1][1]]);
      }
    }
  }
  return pieces;
}

/** Where the line crosses the sides of a square with these corners (clockwise from the top left): pairs of points. */
function crossings(a, b, c, d, level) {
  const found = [];
  const side = (from, to, point) => (from < level) !== (to < level) && found.push(point((level - from) / (to - from)));
  side(a, b, (share) => [share, 0]);
  side(b, c, (share) => [1, share]);
  side(c, d, (share) => [1 - share, 1]);
  side(d, a, (share) => [0, 1 - share]);
  return found;
}

/** Paint on a canvas, in the colours that its style names now. */
export function paint(canvas, songs, { width, height }) {
  const ratio = globalThis.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = canvas.getContext("2d");
  if (!songs.length) return;
  const land = field(songs, { width, height });
  const style = getComputedStyle(canvas);
  const [liked, unwanted] = ["--land", "--sea"].map((name) => style.getPropertyValue(name).trim());
  context.imageSmoothingEnabled = true;
  context.imageSmoothingQuality = "high";
  context.drawImage(tint(land, { liked, unwanted }), 0, 0, canvas.width, canvas.height);
  drawLines(context, land, { liked, unwanted, ratio });
}

function tint({ values, columns, rows }, { liked, unwanted }) {
  const small = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
  const context = small.getContext("2d");
  values.forEach((value, index) => {
    context.fillStyle = value > 0 ? liked : unwanted;
    context.globalAlpha = Math.min(1, Math.abs(value)) * (value > 0 ? 0.3 : 0.22);
    context.fillRect(index % columns, Math.floor(index / columns), 1, 1);
  });
  return small;
}

function drawLines(context, land, { liked, unwanted, ratio }) {
  const { width, height } = context.canvas;
  const across = width / (land.columns - 1);
  const down = height / (land.rows - 1);
  context.lineWidth = ratio;
  context.lineCap = "round";
  for (const level of LEVELS) {
    context.strokeStyle = level > 0 ? liked : unwanted;
    context.globalAlpha = 0.16 + 0.24 * Math.abs(level);
    context.setLineDash(level > 0 ? [] : [2 * ratio, 4 * ratio]);
    context.beginPath();
    for (const [x1, y1, x2, y2] of contour(land, level)) {
      context.moveTo(x1 * across, y1 * down);
      context.lineTo(x2 * across, y2 * down);
    }
    context.stroke();
  }
}
