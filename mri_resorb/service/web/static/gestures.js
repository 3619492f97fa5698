/** What hand and keyboard do to a pair of slices. */

const PAINTING = ["brush", "eraser"];
const KEY_OF_TOOL = { KeyW: "window", KeyD: "distance", KeyB: "brush", KeyE: "eraser", KeyP: "point" };

export class Gestures {
  /** @param {import("./pair_view.js").PairView} pair */
  constructor(pair) {
    this.pair = pair;
    this.cursor = [null, null]; // where the keyboard's brush is, {j, k}
    pair.views.forEach((view, n) => this.listen(view, n));
  }

  listen(view, n) {
    const { stage } = view;
    let turned = 0; // touchpads send many small turns
    stage.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        if (event.ctrlKey) return this.pair.zoom(Math.exp(-event.deltaY / 300));
        const isSame = Math.sign(turned) === Math.sign(event.deltaY);
        turned = isSame ? turned + event.deltaY : event.deltaY;
        if (Math.abs(turned) < 30 && event.deltaMode === 0) return;
        this.pair.showStep(this.pair.step + Math.sign(turned));
        turned = 0;
      },
      { passive: false },
    );
    stage.addEventListener("contextmenu", (event) => event.preventDefault());
    stage.addEventListener("pointerdown", (event) => this.press(event, view, n));
    stage.addEventListener("pointermove", (event) => this.hover(event, view));
    stage.addEventListener("pointerleave", () => this.showBrush(view, null));
    stage.addEventListener("keydown", (event) => this.key(event, view, n));
    stage.addEventListener("blur", () => this.showBrush(view, null));
  }

  press(event, view, n) {
    if (!this.pair.steps) return;
    const drag = this.dragFor(event, view, n);
    if (!drag) return;
    view.stage.setPointerCapture(event.pointerId);
    const { signal, end } = listening();
    const moved = (to) => to.getCoalescedEvents().concat(to).forEach((point) => drag.move(point));
    view.stage.addEventListener("pointermove", moved, { signal });
    for (const over of ["pointerup", "pointercancel"]) {
      view.stage.addEventListener(over, () => (end(), drag.end?.()), { signal });
    }
  }

  /** What a drag that begins so does: `{move(event), end()}`, or null. */
  dragFor(event, view, n) {
    if (event.button === 1 || (event.button === 0 && event.shiftKey)) return this.shifting(event, view);
    if (event.button === 2) return this.windowing(event);
    if (event.button !== 0) return null;
    if (this.pair.tool === "window") return this.windowing(event);
    if (this.pair.tool === "distance") return this.measuring(event, view);
    if (this.pair.tool === "point") return this.pointing(event, view, n);
    return this.painting(event, view, n);
  }

  windowing(start) {
    const { width, level } = this.pair.window;
    return {
      move: ({ clientX, clientY }) =>
        this.pair.setWindow({
          width: width * Math.exp((clientX - start.clientX) / 250),
          level: level + (clientY - start.clientY) / 500,
        }),
    };
  }

  shifting(start, view) {
    const { front, up, mm } = this.pair.field;
    const { scale } = view.geometry();
    return {
      move: ({ clientX, clientY }) =>
        this.pair.setField({
          mm,
          front: front + (clientX - start.clientX) / scale,
          up: up + (clientY - start.clientY) / scale,
        }),
    };
  }

  measuring(start, view) {
    const from = view.voxelUnder(start);
    if (!from) return null;
    view.distance = null;
    view.draw();
    return {
      move: (point) => {
        const to = view.voxelUnder(point);
        if (to?.i !== from.i) return;
        view.distance = { i: from.i, from, to };
        view.draw();
      },
    };
  }

  pointing(start, view, n) {
    const at = view.voxelUnder(start);
    if (n === 0 && at && view.contains(at)) this.pointAt(view, at);
    return null;
  }

  pointAt(view, at) {
    view.pointed = at;
    view.draw();
    this.pair.tell("pointed", view.patientMm(at));
  }

  painting(start, view, n) {
    const from = view.voxelUnder(start);
    if (!from) return null;
    let last = from;
    view.mask.begin();
    this.dab(view, from);
    return {
      move: (point) => {
        const next = view.voxelUnder(point);
        if (next?.i !== from.i) return; // scrolled on meanwhile
        const steps = Math.ceil(view.distanceMm(last, next) / Math.max(0.3, this.pair.radiusMm / 3));
        for (let step = 1; step <= steps; step++) this.dab(view, between(last, next, step / steps));
        last = next;
      },
      end: () => this.strokeEnds(view, n),
    };
  }

  dab(view, at) {
    const value = this.pair.tool === "brush" ? 1 : 0;
    const changed = view.mask.paint(at, { radiusMm: this.pair.radiusMm, value });
    this.showBrush(view, at);
    if (changed.length) view.showMask(changed);
  }

  strokeEnds(view, n) {
    view.mask.end();
    this.pair.lastPainted = n;
    this.pair.tell("painted");
  }

  hover(event, view) {
    if (!PAINTING.includes(this.pair.tool) || !this.pair.steps) return;
    this.showBrush(view, view.voxelUnder(event));
  }

  showBrush(view, at) {
    const isShown = at && PAINTING.includes(this.pair.tool);
    const brush = isShown ? { j: at.j, k: at.k, radiusMm: this.pair.radiusMm } : null;
    if (!brush && !view.brush) return;
    view.brush = brush;
    view.draw();
  }

  key(event, view, n) {
    if (!this.pair.steps || event.altKey) return;
    const act = this.keyAction(event, view, n);
    if (!act) return;
    event.preventDefault();
    act();
  }

  keyAction(event, view, n) {
    const { key, code } = event;
    if (event.ctrlKey || event.metaKey) return code === "KeyZ" ? () => this.pair.undo() : null;
    if (code in KEY_OF_TOOL) return () => this.pair.setTool(KEY_OF_TOOL[code]);
    const needsCursor = [...PAINTING, "point"].includes(this.pair.tool);
    const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (needsCursor && key in moves) return () => this.moveCursor(view, n, moves[key]);
    if (needsCursor && (key === " " || key === "Enter")) return () => this.useCursor(view, n);
    const scroll = { ArrowUp: -1, ArrowLeft: -1, PageUp: -1, ArrowDown: 1, ArrowRight: 1, PageDown: 1 };
    if (key in scroll) return () => this.pair.showStep(this.pair.step + scroll[key]);
    if (key === "Home") return () => this.pair.showStep(0);
    if (key === "End") return () => this.pair.showStep(this.pair.steps.length - 1);
    if (key === "+" || key === "=") return () => this.pair.zoom(1.25);
    if (key === "-") return () => this.pair.zoom(0.8);
    if (key === "0") return () => this.pair.reset();
    return null;
  }

  moveCursor(view, n, [front, up]) {
    const before = this.cursor[n] ?? { j: Math.round(view.disc.j), k: Math.round(view.disc.k) };
    this.cursor[n] = { j: before.j + front, k: before.k + up };
    if (this.pair.tool === "point") this.showPointer(view, n);
    else this.showBrush(view, this.cursor[n]);
  }

  showPointer(view, n) {
    if (n !== 0 || view.slice === null) return;
    view.pointed = { i: view.slice, ...this.cursor[n] };
    view.draw();
  }

  useCursor(view, n) {
    if (view.slice === null) return;
    if (!this.cursor[n]) this.moveCursor(view, n, [0, 0]);
    const at = { i: view.slice, ...this.cursor[n] };
    if (this.pair.tool === "point") {
      if (n === 0) this.pointAt(view, at);
      return;
    }
    view.mask.begin();
    this.dab(view, at);
    this.strokeEnds(view, n);
  }
}

function between(from, to, part) {
  return { i: from.i, j: from.j + part * (to.j - from.j), k: from.k + part * (to.k - from.k) };
}

function listening() {
  const controller = new AbortController();
  return { signal: controller.signal, end: () => controller.abort() };
}
