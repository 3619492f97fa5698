/** What a reader holds: tools, brush, how the fragment is shown, and the correction's buttons. */

import { element } from "./dom.js";
import { say } from "./words.js";

const TOOLS = ["window", "distance", "brush", "eraser", "point"];
const CORRECTING = ["brush", "eraser", "point"];
const KEPT_AS = "mri-resorb.fragment";
const FIRST_STYLE = { colour: "#ffd400", opacity: 0.25, isShown: true };

export class Toolbar {
  /**
   * @param {import("./pair_view.js").PairView} pair
   * @param {{measure: Function, toAutomatic: Function}} correction what its buttons do
   */
  constructor(pair, { measure, toAutomatic }) {
    this.pair = pair;
    this.style = { ...FIRST_STYLE, ...JSON.parse(localStorage.getItem(KEPT_AS) ?? "{}") };
    this.radios = TOOLS.map((tool) => this.radio(tool));
    this.undoButton = button("page.undo", () => pair.undo(), "undo");
    this.measureButton = button("page.measure-again", measure, "measure");
    this.measureButton.classList.add("primary");
    this.automaticButton = button("page.to-automatic", toAutomatic, "to-automatic");
    this.element = element(
      "div",
      { class: "toolbar", role: "group", "aria-label": say("page.tools") },
      this.tools(),
      this.brushSize(),
      element("div", { class: "group" }, this.measureButton, this.automaticButton),
      this.fragmentStyle(),
      this.looking(),
    );
    pair.addEventListener("tool", () => this.update());
  }

  /** After anything changed: what may be done now. */
  update({ isBusy = this.isBusy, isCorrected = this.isCorrected } = {}) {
    Object.assign(this, { isBusy, isCorrected });
    const { mayCorrect, views } = this.pair;
    const masks = views.map((view) => view.mask).filter(Boolean);
    TOOLS.forEach((tool, n) => {
      this.radios[n].checked = this.pair.tool === tool;
      this.radios[n].disabled = CORRECTING.includes(tool) && !mayCorrect;
    });
    this.size.disabled = !mayCorrect;
    this.undoButton.disabled = !mayCorrect || isBusy || !masks.some((mask) => mask.hasStrokes);
    this.measureButton.disabled = !mayCorrect || isBusy || !masks.some((mask) => mask.isChanged);
    this.automaticButton.disabled = !mayCorrect || isBusy || !isCorrected;
  }

  /** Show the fragment as it is set. */
  applyStyle() {
    this.pair.setFragmentStyle(this.style);
  }

  radio(tool) {
    return element("input", {
      type: "radio",
      name: "tool",
      id: `tool-${tool}`,
      value: tool,
      onchange: () => this.pair.setTool(tool),
    });
  }

  tools() {
    const pairs = TOOLS.flatMap((tool, n) => [
      this.radios[n],
      element("label", { for: `tool-${tool}` }, say(`page.tool-${tool}`)),
    ]);
    return element("div", { class: "segments" }, ...pairs);
  }

  brushSize() {
    this.size = element("input", {
      type: "range", id: "brush-size", min: "1", max: "12", step: "0.5", value: "4",
      oninput: () => (this.pair.radiusMm = this.size.valueAsNumber / 2),
    });
    return element(
      "div",
      { class: "group" },
      element("label", { for: "brush-size" }, say("page.brush-size")),
      this.size,
      this.undoButton,
    );
  }

  fragmentStyle() {
    const change = (name, value) => {
      this.style = { ...this.style, [name]: value };
      localStorage.setItem(KEPT_AS, JSON.stringify(this.style));
      this.applyStyle();
    };
    const shown = element("input", {
      type: "checkbox", id: "show-fragment", checked: this.style.isShown,
      onchange: () => change("isShown", shown.checked),
    });
    const colour = element("input", {
      type: "color", id: "fragment-colour", value: this.style.colour,
      title: say("page.fragment-colour"),
      oninput: () => change("colour", colour.value),
    });
    const opacity = element("input", {
      type: "range", id: "fragment-opacity", min: "0", max: "1", step: "0.05",
      value: this.style.opacity, title: say("page.fragment-opacity"),
      oninput: () => change("opacity", opacity.valueAsNumber),
    });
    return element(
      "div",
      { class: "group" },
      shown, element("label", { for: "show-fragment" }, say("html.show-fragment")),
      element("label", { for: "fragment-colour", class: "hidden" }, say("page.fragment-colour")),
      colour,
      element("label", { for: "fragment-opacity", class: "hidden" }, say("page.fragment-opacity")),
      opacity,
    );
  }

  looking() {
    const icon = (name, text, act) =>
      element(
        "button",
        { type: "button", class: "icon", title: say(name), "aria-label": say(name), onclick: act },
        text,
      );
    return element(
      "div",
      { class: "group" },
      icon("page.zoom-in", "+", () => this.pair.zoom(1.25)),
      icon("page.zoom-out", "−", () => this.pair.zoom(0.8)),
      icon("page.view-reset", "⟲", () => this.pair.reset()),
    );
  }
}

/** A button with the words of that name. */
export function button(name, act, id) {
  return element("button", { type: "button", id: id ?? null, onclick: act }, say(name));
}
