/**
 * One date: a sagittal slice of its series with the fragment over it.
 *
 * NiiVue draws the slice and the fragment's voxels; an SVG on top of it holds outline, letters,
 * scale, brush and distance. Slices are the series' own, never interpolated between.
 *
 * Places are continuous voxels {i, j, k}: i to the patient's right, j to the front, k upwards.
 * Front is on the left of the screen.
 */

import { Niivue, SLICE_TYPE } from "./vendor/niivue.min.js";
import { element, oncePerFrame } from "./dom.js";
import { FragmentMask } from "./fragment_mask.js";
import { outline } from "./outline.js";
import { voxels } from "./nifti.js";
import { decimal, say } from "./words.js";

const BLACK_AND_WHITE = [0.01, 0.997]; // as in the reports: shares of the intensities
const SCALE_MM = 10;

export class SliceView {
  /** @param {string} which `baseline` or `follow_up`, for the page's tests and styles */
  constructor(which) {
    this.which = which;
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.overlay = element("svg:svg", { class: "overlay", "aria-hidden": "true" });
    this.nothing = element("p", { class: "nothing" }, say("page.loading"));
    this.stage = element(
      "div",
      { class: "stage", tabindex: "0", role: "group", "data-date": which },
      this.canvas, this.overlay, this.nothing,
    );
    this.slice = null; // i of the slice that is shown
    this.field = { mm: 120, front: 0, up: 0 }; // what is seen, and how far from the disc's middle
    this.window = { width: 1, level: 0 };
    this.brush = null; // {j, k, radiusMm}
    this.distance = null; // {i, from: {j, k}, to: {j, k}}
    this.pointed = null; // {i, j, k} of a disc
    this.mask = null;
    this.isPainted = false;
    this.draw = oncePerFrame(() => this.drawNow());
    this.drawWindow = oncePerFrame(() => this.applyWindow());
  }

  /**
   * Show a series.
   *
   * @param {ArrayBuffer} image NIfTI, unpacked
   * @param {number[]|null} discAt middle of the disc, patient mm, LPS
   */
  async load(image, discAt) {
    this.viewer = new Niivue({
      interactive: false,
      dragAndDropEnabled: false,
      isResizeCanvas: false,
      forceDevicePixelRatio: -1,
      isOrientationTextVisible: false,
      sagittalNoseLeft: true,
      crosshairWidth: 0,
      logLevel: "silent",
    });
    this.fitCanvas();
    await this.viewer.attachToCanvas(this.canvas, false);
    this.viewer.setSliceType(SLICE_TYPE.SAGITTAL);
    await this.viewer.loadFromArrayBuffer(image, `${this.which}.nii`);
    const volume = this.viewer.volumes[0];
    this.image = image;
    this.grid = {
      dims: Array.from(volume.dimsRAS).slice(1, 4),
      spacing: Array.from(volume.pixDimsRAS).slice(1, 4),
      start: volume.img2RASstart.reduce((sum, part) => sum + part, 0),
      step: Array.from(volume.img2RASstep),
    };
    this.toPatient = Array.from(volume.matRAS); // rows of voxel to RAS mm
    this.extremes = blackAndWhite(voxels(image));
    this.disc = discAt ? this.voxelAt(discAt) : this.middle();
    this.viewer.createEmptyDrawing();
    this.observer = new ResizeObserver(() => {
      this.fitCanvas();
      this.draw();
    });
    this.observer.observe(this.stage);
    this.applyWindow();
  }

  /** The first picture is on the screen; compiling the viewer's shaders may take seconds. */
  async painted() {
    this.drawNow();
    const { gl } = this.viewer;
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    while (gl.clientWaitSync(fence, 0, 0) === gl.TIMEOUT_EXPIRED) {
      await new Promise((done) => setTimeout(done, 20));
    }
    gl.deleteSync(fence);
    this.isPainted = true;
    this.draw();
  }

  /** Let go of the graphics card. */
  close() {
    this.observer?.disconnect();
    this.viewer?.gl?.getExtension("WEBGL_lose_context")?.loseContext();
  }

  /** Lay a fragment over the series: NIfTI bytes, unpacked, or null for none. */
  setMask(bytes) {
    const count = this.grid.dims.reduce((product, dim) => product * dim, 1);
    const values = bytes ? voxels(bytes) : new Float32Array(count);
    if (values.length !== count) throw new Error("the fragment lies on another grid");
    this.mask = new FragmentMask({ like: bytes ?? this.image, values, grid: this.grid });
    this.showMask();
  }

  /** After the mask changed: all of it, or the voxels given. */
  showMask(changed) {
    if (changed) this.mask.refresh(this.viewer.drawBitmap, changed);
    else this.viewer.drawBitmap = this.mask.bitmap();
    this.maskIsStale = true;
    this.draw();
  }

  /** How the fragment is shown: CSS colour, opacity of its voxels 0-1. */
  setFragmentStyle({ colour, opacity, isShown }) {
    const parts = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
    const lut = new Uint8ClampedArray(1024);
    for (let n = 0; n < 256; n++) lut.set([...parts, n], 4 * n);
    this.viewer.drawLut = { lut, labels: Array(256).fill("") };
    this.viewer.drawOpacity = isShown ? opacity : 0;
    this.fragmentColour = isShown ? colour : null;
    this.viewer.refreshColormaps();
    this.draw();
  }

  /** How far each slice lies to the patient's left of the disc, mm, by i. */
  offsetsMm() {
    const { dims, spacing } = this.grid;
    return Array.from({ length: dims[0] }, (_, i) => (this.disc.i - i) * spacing[0]);
  }

  showSlice(i) {
    this.slice = i;
    this.draw();
  }

  setField(field) {
    this.field = field;
    this.draw();
  }

  /** Width as a factor, level as a part of the first width, so that both dates change alike. */
  setWindow(window) {
    this.window = window;
    this.drawWindow();
  }

  /** The voxel under a place of the screen, in the slice that is shown; null where none is. */
  voxelUnder({ clientX, clientY }) {
    if (this.slice === null) return null;
    const { left, top } = this.stage.getBoundingClientRect();
    const { spacing } = this.grid;
    const { scale, centre, middle } = this.geometry();
    return {
      i: this.slice,
      j: (centre[0] - (clientX - left - middle[0]) / scale) / spacing[1],
      k: (centre[1] - (clientY - top - middle[1]) / scale) / spacing[2],
    };
  }

  /** Whether a place lies in the series. */
  contains({ j, k }) {
    const { dims } = this.grid;
    return j > -0.5 && k > -0.5 && j < dims[1] - 0.5 && k < dims[2] - 0.5;
  }

  /** Millimetres between two places of one slice. */
  distanceMm(from, to) {
    const { spacing } = this.grid;
    return Math.hypot((from.j - to.j) * spacing[1], (from.k - to.k) * spacing[2]);
  }

  /** A place as patient mm, LPS. */
  patientMm({ i, j, k }) {
    const m = this.toPatient;
    const ras = [0, 4, 8].map((row) => m[row] * i + m[row + 1] * j + m[row + 2] * k + m[row + 3]);
    return [-ras[0], -ras[1], ras[2]];
  }

  voxelAt([left, back, up]) {
    const m = this.toPatient;
    const at = [-left - m[3], -back - m[7], up - m[11]];
    const { spacing } = this.grid;
    // The columns are orthogonal, so the inverse is the transpose over the squared spacings.
    const [i, j, k] = [0, 1, 2].map(
      (axis) =>
        (m[axis] * at[0] + m[4 + axis] * at[1] + m[8 + axis] * at[2]) / spacing[axis] ** 2,
    );
    return { i, j, k };
  }

  middle() {
    const [i, j, k] = this.grid.dims.map((dim) => (dim - 1) / 2);
    return { i, j, k };
  }

  /** CSS pixels a mm; mm of voxel 0 to the middle of the screen, to the front and up. */
  geometry() {
    const [width, height] = [this.stage.clientWidth, this.stage.clientHeight];
    const { spacing } = this.grid;
    return {
      width,
      height,
      scale: Math.min(width, height) / this.field.mm,
      middle: [width / 2, height / 2],
      centre: [
        this.disc.j * spacing[1] + this.field.front,
        this.disc.k * spacing[2] + this.field.up,
      ],
    };
  }

  fitCanvas() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.stage.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.stage.clientHeight * ratio));
  }

  applyWindow() {
    const volume = this.viewer.volumes[0];
    const [black, white] = this.extremes;
    const width = white - black;
    const level = (black + white) / 2 + this.window.level * width;
    volume.cal_min = level - (this.window.width * width) / 2;
    volume.cal_max = level + (this.window.width * width) / 2;
    this.viewer.updateGLVolume();
    this.draw();
  }

  drawNow() {
    if (!this.mask) return;
    const isSeen = this.slice !== null;
    this.nothing.hidden = isSeen && this.isPainted;
    this.nothing.textContent = say(isSeen ? "page.loading" : "html.nothing-here");
    this.canvas.hidden = !isSeen;
    this.overlay.replaceChildren();
    if (!isSeen) return;
    this.drawSlice();
    if (this.isPainted) this.drawOverlay();
  }

  drawSlice() {
    const { viewer, grid } = this;
    const { scale, centre } = this.geometry();
    const volume = viewer.volumes[0];
    const extent = [1, 2].map((axis) => grid.dims[axis] * grid.spacing[axis]);
    // NiiVue fits the slice into the canvas, then zooms and shifts about the series' middle, in mm.
    const fitted = Math.min(
      this.stage.clientWidth / extent[0],
      this.stage.clientHeight / extent[1],
    );
    const zoom = scale / fitted;
    const shift = [1, 2].map((axis) => {
      const [low, high] = [volume.extentsMinOrtho[axis], volume.extentsMaxOrtho[axis]];
      const shown = low + centre[axis - 1] + grid.spacing[axis] / 2;
      return (low + high) / 2 - shown * zoom;
    });
    viewer.scene.pan2Dxyzmm = [0, shift[0], shift[1], zoom];
    viewer.scene.crosshairPos = [(this.slice + 0.5) / grid.dims[0], 0.5, 0.5];
    if (this.maskIsStale) viewer.refreshDrawing(false);
    this.maskIsStale = false;
    viewer.drawScene();
  }

  drawOverlay() {
    const { width, height, scale, middle, centre } = this.geometry();
    const { spacing } = this.grid;
    const x = (j) => middle[0] - (j * spacing[1] - centre[0]) * scale;
    const y = (k) => middle[1] - (k * spacing[2] - centre[1]) * scale;
    this.overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const turn = `matrix(${-spacing[1] * scale} 0 0 ${-spacing[2] * scale} ${x(0)} ${y(0)})`;
    if (this.fragmentColour) {
      const path = outline((j, k) => this.mask.at(this.slice, j, k), this.mask.boxOf(this.slice));
      this.overlay.append(
        element("svg:path", { class: "outline", d: path, transform: turn, stroke: this.fragmentColour }),
      );
    }
    const letter = (text, left, top) => element("svg:text", { x: left, y: top, class: "letter" }, text);
    const inset = 14;
    this.overlay.append(
      letter("A", inset, height / 2), letter("P", width - inset, height / 2),
      letter("H", width / 2, inset), letter("F", width / 2, height - inset),
      this.scaleBar({ scale, height }),
    );
    if (this.distance?.i === this.slice) this.overlay.append(...this.distanceLine(x, y));
    if (this.pointed && Math.round(this.pointed.i) === this.slice) {
      const [left, top] = [x(this.pointed.j), y(this.pointed.k)];
      const d = `M${left - 9} ${top}h18M${left} ${top - 9}v18`;
      this.overlay.append(element("svg:path", { class: "pointed", d }));
    }
    if (this.brush) {
      const { j, k, radiusMm } = this.brush;
      const r = Math.max(radiusMm * scale, 2);
      this.overlay.append(element("svg:circle", { class: "brush", cx: x(j), cy: y(k), r }));
    }
  }

  scaleBar({ scale, height }) {
    const [left, top, length] = [16, height - 16, SCALE_MM * scale];
    return element(
      "svg:g",
      { class: "scale" },
      element("svg:path", { d: `M${left} ${top - 4}v8m0 -4h${length}m0 -4v8` }),
      element("svg:text", { x: left + length + 8, y: top }, say("html.scale")),
    );
  }

  distanceLine(x, y) {
    const { from, to } = this.distance;
    const [left, top] = [x(to.j), y(to.k)];
    const mm = decimal(this.distanceMm(from, to), 1);
    return [
      element("svg:path", { class: "distance", d: `M${x(from.j)} ${y(from.k)}L${left} ${top}` }),
      element("svg:text", { class: "distance", x: left + 10, y: top }, say("figure.scale", { mm })),
    ];
  }
}

function blackAndWhite(values) {
  const every = Math.max(1, Math.floor(values.length / 100_000));
  const some = values.filter((_, n) => n % every === 0).sort();
  return BLACK_AND_WHITE.map((share) => some[Math.floor(share * (some.length - 1))]);
}
