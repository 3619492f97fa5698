/**
 * The fragment of one date, as it is shown and corrected: how much of each voxel it fills, 0-1.
 *
 * A voxel is named (i, j, k): i to the patient's right, j to the front, k upwards, whatever the
 * order of voxels in the file. What nobody painted over keeps its parts of voxels to the bit.
 */

import { packed } from "./nifti.js";

export class FragmentMask {
  /**
   * @param {ArrayBuffer} like a NIfTI file, unpacked, whose grid and order of voxels it has
   * @param {Float32Array} values in that order
   * @param {{dims: number[], spacing: number[], start: number, step: number[]}} grid voxels and
   *   millimetres along i, j, k; index of voxel (0, 0, 0) in `values`, and of a step along each
   */
  constructor({ like, values, grid }) {
    this.like = like;
    this.values = values;
    this.grid = grid;
    this.strokes = []; // each a Map from index to the value before
    this.stroke = null;
    this.measured = undefined; // the last stroke that was measured
  }

  /** Not as it was last measured. */
  get isChanged() {
    return this.state !== this.measured;
  }

  get hasStrokes() {
    return this.strokes.length > 0;
  }

  at(i, j, k) {
    const { dims } = this.grid;
    if (j < 0 || k < 0 || j >= dims[1] || k >= dims[2]) return 0;
    return this.values[this.indexOf(i, j, k)];
  }

  indexOf(i, j, k) {
    const { start, step } = this.grid;
    return start + i * step[0] + j * step[1] + k * step[2];
  }

  /** The filled voxels of a slice: `{left, right}` along j and `{top, bottom}` along k, or null. */
  boxOf(i) {
    const { dims } = this.grid;
    let box = null;
    for (let k = 0; k < dims[2]; k++) {
      for (let j = 0; j < dims[1]; j++) {
        if (!(this.values[this.indexOf(i, j, k)] > 0)) continue;
        box ??= { left: j, right: j, top: k, bottom: k };
        box.left = Math.min(box.left, j);
        box.right = Math.max(box.right, j);
        box.bottom = k;
      }
    }
    return box;
  }

  /** The slice with the most fragment, or null. */
  fullestSlice() {
    const { dims } = this.grid;
    let [fullest, most] = [null, 0];
    for (let i = 0; i < dims[0]; i++) {
      let sum = 0;
      for (let k = 0; k < dims[2]; k++) {
        for (let j = 0; j < dims[1]; j++) sum += this.values[this.indexOf(i, j, k)];
      }
      if (sum > most) [fullest, most] = [i, sum];
    }
    return fullest;
  }

  begin() {
    this.stroke = new Map();
  }

  /**
   * Fill or empty the voxels of a slice whose middle lies under a round brush, and the one under
   * the brush's own middle.
   *
   * @param {{i: number, j: number, k: number}} place of the brush's middle; j and k continuous
   * @param {number} value 1 to fill, 0 to empty
   * @returns {number[][]} the voxels that changed
   */
  paint({ i, j, k }, { radiusMm, value }) {
    const { dims, spacing } = this.grid;
    const [reachJ, reachK] = [radiusMm / spacing[1], radiusMm / spacing[2]];
    const changed = [];
    for (let row = Math.ceil(k - reachK - 1); row <= k + reachK + 1; row++) {
      for (let column = Math.ceil(j - reachJ - 1); column <= j + reachJ + 1; column++) {
        if (row < 0 || column < 0 || column >= dims[1] || row >= dims[2]) continue;
        const away = Math.hypot((column - j) * spacing[1], (row - k) * spacing[2]);
        const isUnder = column === Math.round(j) && row === Math.round(k);
        if (away > radiusMm && !isUnder) continue;
        const index = this.indexOf(i, column, row);
        if (this.values[index] === value) continue;
        if (!this.stroke.has(index)) this.stroke.set(index, this.values[index]);
        this.values[index] = value;
        changed.push([i, column, row]);
      }
    }
    return changed;
  }

  end() {
    if (this.stroke?.size) this.strokes.push(this.stroke);
    this.stroke = null;
  }

  /** Take back the last stroke, if there is one. */
  undo() {
    for (const [index, before] of this.strokes.pop() ?? []) this.values[index] = before;
  }

  /** A mark of what is painted now, for `markMeasured`. */
  get state() {
    return this.strokes.at(-1);
  }

  /** That state is what was measured. */
  markMeasured(state) {
    this.measured = state;
  }

  /** As a gzipped NIfTI file. */
  toNifti() {
    return packed(this.like, this.values);
  }

  /** For the viewer: 0-255 in the order i, j, k (i fastest). */
  bitmap() {
    const { dims } = this.grid;
    const made = new Uint8Array(dims[0] * dims[1] * dims[2]);
    let n = 0;
    for (let k = 0; k < dims[2]; k++) {
      for (let j = 0; j < dims[1]; j++) {
        for (let i = 0; i < dims[0]; i++) made[n++] = shade(this.values[this.indexOf(i, j, k)]);
      }
    }
    return made;
  }

  /** Bring single voxels of such a bitmap up to date. */
  refresh(bitmap, changed) {
    const { dims } = this.grid;
    for (const [i, j, k] of changed) {
      bitmap[i + dims[0] * (j + dims[1] * k)] = shade(this.values[this.indexOf(i, j, k)]);
    }
  }
}

function shade(occupancy) {
  return Math.round(255 * Math.min(1, Math.max(0, occupancy)));
}
