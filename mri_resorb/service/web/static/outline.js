/**
 * Where a slice's fragment fills half of a voxel, as an SVG path (marching squares).
 *
 * @param {(column: number, row: number) => number} at occupancy, 0-1; 0 outside of the slice
 * @param {{left: number, top: number, right: number, bottom: number}|null} box the filled voxels
 * @returns {string} path data in voxels, 0 in the middle of the first one
 */
export function outline(at, box) {
  if (!box) return "";
  let path = "";
  for (let y = box.top - 1; y <= box.bottom; y++) {
    for (let x = box.left - 1; x <= box.right; x++) {
      path += cell(x, y, at(x, y), at(x + 1, y), at(x + 1, y + 1), at(x, y + 1));
    }
  }
  return path;
}

const HALF = 0.5;
// By which corners are filled (1 upper left, 2 upper right, 4 lower right, 8 lower left): the
// sides that the line joins; 0 above, 1 right, 2 below, 3 left.
const LINES = {
  1: [[3, 0]], 2: [[0, 1]], 3: [[3, 1]], 4: [[1, 2]], 5: [[3, 0], [1, 2]], 6: [[0, 2]], 7: [[3, 2]],
  8: [[2, 3]], 9: [[2, 0]], 10: [[0, 1], [2, 3]], 11: [[2, 1]], 12: [[1, 3]], 13: [[1, 0]], 14: [[0, 3]],
};

function cell(x, y, a, b, c, d) {
  const filled = (a >= HALF) + 2 * (b >= HALF) + 4 * (c >= HALF) + 8 * (d >= HALF);
  const lines = LINES[filled];
  if (!lines) return "";
  const crossing = (from, to) => (HALF - from) / (to - from);
  const side = [
    () => [x + crossing(a, b), y],
    () => [x + 1, y + crossing(b, c)],
    () => [x + crossing(d, c), y + 1],
    () => [x, y + crossing(a, d)],
  ];
  return lines
    .map(([from, to]) => `M${point(side[from]())}L${point(side[to]())}`)
    .join("");
}

function point([x, y]) {
  return `${x.toFixed(2)} ${y.toFixed(2)}`;
}
