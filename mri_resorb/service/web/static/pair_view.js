/** Both dates side by side: scrolled, zoomed and windowed together, corrected one at a time. */

import { element } from "./dom.js";
import { Gestures } from "./gestures.js";
import { linkedSteps } from "./linked_slices.js";
import { unpacked } from "./nifti.js";
import { SliceView } from "./slice_view.js";
import { longDate, say } from "./words.js";

export const DATES = ["baseline", "follow_up"];
const WORD = { baseline: "html.baseline", follow_up: "html.follow-up" };
const FIELD_MM = { least: 20, first: 120, whole: 400 };

export class PairView extends EventTarget {
  /** Events: `painted` when a mask changed, `pointed` when a disc was pointed at, `tool`. */
  constructor() {
    super();
    this.views = DATES.map((which) => new SliceView(which));
    this.captions = DATES.map(() => element("figcaption"));
    this.wheres = DATES.map(() => element("p", { class: "where" }));
    this.slider = element("input", { type: "range", id: "slice", min: "0", step: "1" });
    this.place = element("output", { for: "slice" });
    this.note = element("p", { class: "hint", hidden: true }, say("html.pictures-not-aligned"));
    this.element = element(
      "div",
      { class: "pair" },
      element(
        "div",
        { class: "panels" },
        ...DATES.map((_, n) =>
          element("figure", { class: "panel" }, this.captions[n], this.views[n].stage, this.wheres[n]),
        ),
      ),
      element(
        "div",
        { class: "scroll" },
        element("label", { for: "slice" }, say("html.scroll-sagittal")),
        this.slider,
        this.place,
      ),
      this.note,
    );
    this.tool = "window";
    this.window = { width: 1, level: 0 };
    this.radiusMm = 2;
    this.mayCorrect = false;
    this.slider.addEventListener("input", () => this.showStep(this.slider.valueAsNumber));
    new Gestures(this);
  }

  /**
   * Show a case.
   *
   * @param {Object} result the result document
   * @param {{image: ArrayBuffer, mask: ArrayBuffer|null}[]} files of both dates, as they came
   */
  async load(result, files) {
    const images = await Promise.all(files.map(({ image }) => unpacked(image)));
    for (const [n, which] of DATES.entries()) {
      await this.views[n].load(images[n], result[which].disc_at);
    }
    await this.setMasks(files.map(({ mask }) => mask));
    this.describe(result);
    this.steps = linkedSteps(this.views.map((view) => view.offsetsMm()));
    this.slider.max = String(this.steps.length - 1);
    this.setField({ mm: FIELD_MM.first, front: 0, up: 0 });
    this.showStep(this.fullestStep());
    await Promise.all(this.views.map((view) => view.painted()));
  }

  async setMasks(masks) {
    for (const [n, mask] of masks.entries()) {
      this.views[n].setMask(mask && (await unpacked(mask)));
    }
    this.tell("painted");
  }

  close() {
    this.views.forEach((view) => view.close());
  }

  /** Captions, and what the pictures are called for those who do not see them. */
  describe(result) {
    this.note.hidden = DATES.every((which) => result[which].disc_at);
    DATES.forEach((which, n) => {
      const day = longDate(result[which].date);
      this.captions[n].replaceChildren(
        element("strong", {}, say(WORD[which])),
        ` ${day}`,
      );
      this.views[n].stage.setAttribute("aria-label", `${say(WORD[which])}, ${day}`);
    });
  }

  setTool(tool) {
    if (!this.mayCorrect && tool !== "window" && tool !== "distance") return;
    this.tool = tool;
    this.element.dataset.tool = tool;
    this.views.forEach((view) => {
      view.brush = null;
      view.draw();
    });
    this.tell("tool");
  }

  setFragmentStyle(style) {
    this.views.forEach((view) => view.setFragmentStyle(style));
  }

  /** Nearer (factor over 1) or farther, about the disc. */
  zoom(factor) {
    const { mm } = this.field;
    const next = Math.min(FIELD_MM.whole, Math.max(FIELD_MM.least, mm / factor));
    this.setField({ ...this.field, mm: next });
  }

  /** Disc and first brightness, as at the start. */
  reset() {
    this.setWindow({ width: 1, level: 0 });
    this.setField({ mm: FIELD_MM.first, front: 0, up: 0 });
  }

  undo() {
    const view = this.views[this.lastPainted ?? 0];
    const other = this.views[1 - (this.lastPainted ?? 0)];
    const of = view.mask.hasStrokes ? view : other;
    of.mask.undo();
    of.showMask();
    this.tell("painted");
  }

  showStep(number) {
    this.step = Math.min(this.steps.length - 1, Math.max(0, number));
    const { offsetMm, slices } = this.steps[this.step];
    const place = placeInWords(offsetMm);
    this.slider.value = String(this.step);
    this.slider.setAttribute("aria-valuetext", place);
    this.place.textContent = place;
    this.views.forEach((view, n) => {
      view.showSlice(slices[n]);
      this.wheres[n].textContent = this.whereInWords(view, slices[n]);
    });
  }

  // How it works ------------------------------------------------------------------------------

  whereInWords(view, slice) {
    if (slice === null) return say("html.nothing-here");
    const count = view.grid.dims[0];
    const place = placeInWords(view.offsetsMm()[slice]);
    return say("html.where", { number: count - slice, count, place });
  }

  fullestStep() {
    for (const [n, view] of this.views.entries()) {
      const slice = view.mask.fullestSlice();
      const step = slice === null ? -1 : this.steps.findIndex(({ slices }) => slices[n] === slice);
      if (step >= 0) return step;
    }
    const away = this.steps.map(({ offsetMm }) => Math.abs(offsetMm));
    return away.indexOf(Math.min(...away));
  }

  setField(field) {
    this.field = field;
    this.views.forEach((view) => view.setField(field));
  }

  setWindow(window) {
    this.window = window;
    this.views.forEach((view) => view.setWindow(window));
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function placeInWords(offsetMm) {
  if (Math.abs(offsetMm) < 0.5) return say("html.place-sagittal-0");
  return say(offsetMm > 0 ? "html.place-left" : "html.place-right", { mm: Math.abs(offsetMm) });
}
