/**
 * Which slices of the two dates belong together: those nearest to one place, measured to the
 * patient's left of each date's own disc.
 */

const BESIDE = 0.6; // of a slice distance: what lies nearer shows the same place

/**
 * From right to left: a step for each slice of the date with the closer slices, and for those of
 * the other that would not be seen beside them.
 *
 * @param {number[][]} offsets for each date, mm to the left of its disc, by slice
 * @returns {{offsetMm: number, slices: (number|null)[]}[]}
 */
export function linkedSteps(offsets) {
  const distances = offsets.map(sliceDistance);
  const nearest = (which, offsetMm) => {
    const away = offsets[which].map((of) => Math.abs(of - offsetMm));
    const slice = away.indexOf(Math.min(...away));
    return away[slice] <= BESIDE * distances[which] ? slice : null;
  };
  const step = (offsetMm) => ({ offsetMm, slices: [nearest(0, offsetMm), nearest(1, offsetMm)] });
  const leading = distances[1] < 0.95 * distances[0] ? 1 : 0;
  const other = 1 - leading;
  const steps = offsets[leading].map(step);
  const seen = new Set(steps.map(({ slices }) => slices[other]));
  const unseen = offsets[other].filter((_, slice) => !seen.has(slice)).map(step);
  return [...steps, ...unseen].sort((a, b) => a.offsetMm - b.offsetMm);
}

function sliceDistance(offsets) {
  return offsets.length > 1 ? Math.abs(offsets.at(-1) - offsets[0]) / (offsets.length - 1) : 1;
}
