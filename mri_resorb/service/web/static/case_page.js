/** One case: both dates, the figures, correction and signature. */

import * as api from "./api.js";
import { element } from "./dom.js";
import { figures } from "./figures.js";
import { personInWords, stateInWords } from "./findings.js";
import { listen } from "./live.js";
import { DATES, PairView } from "./pair_view.js";
import { askForSignature, askToReopen, isSigned, signingPanel } from "./signing.js";
import { Toolbar, button } from "./toolbar.js";
import { say } from "./words.js";

const LEVELS = ["L1-L2", "L2-L3", "L3-L4", "L4-L5", "L5-S1"];
const FILES = {
  "report.pdf": "page.file-pdf",
  "report.html": "page.file-html",
  "report.sr.dcm": "page.file-sr",
  "baseline_fragment.seg.dcm": "page.file-seg-baseline",
  "follow_up_fragment.seg.dcm": "page.file-seg-follow-up",
};
const HELP = ["scroll", "window", "zoom", "paint", "keys"];
const WITH_RESULT = ["measured", "signed", "sending", "sent", "send_failed"];

export class CasePage {
  /**
   * @param {string} id
   * @param {(words: string) => void} announce tells those who do not see the page
   */
  constructor(id, announce) {
    Object.assign(this, { id, announce, isBusy: false });
    this.heading = element("h1");
    this.person = element("p", { class: "person" });
    this.pictures = element("div", { class: "pictures" });
    this.said = element("p", { class: "said", role: "status" });
    this.found = element("div", { class: "found" });
    this.foot = element("div", { class: "foot" });
    this.element = element(
      "section",
      { class: "case" },
      element("div", { class: "title" }, this.heading, this.person),
      this.pictures,
      element(
        "aside",
        { "aria-label": say("page.figures-heading") },
        element("div", { class: "scrolling", tabindex: "0", role: "region", "aria-label": say("page.figures-heading") }, this.found),
        this.said,
        this.foot,
      ),
    );
  }

  async open() {
    this.stop = listen((change) => this.heard(change));
    await this.load();
    if (this.wasToldEarly) await this.heard(null);
  }

  close() {
    this.isClosed = true;
    this.stop?.();
    this.pair?.close();
  }

  /** Whether leaving would lose strokes. */
  get hasUnmeasured() {
    return Boolean(this.pair?.views.some((view) => view.mask?.isChanged));
  }

  async load() {
    try {
      this.case = await api.getCase(this.id);
    } catch (problem) {
      this.heading.textContent = problem.status === 404 ? say("page.gone") : problem.message;
      return;
    }
    this.shown = this.case.revision;
    if (WITH_RESULT.includes(this.case.state)) await this.loadResult();
    else this.showProgress();
  }

  async loadResult() {
    this.pair?.close();
    this.pair = null;
    this.result = await api.getResult(this.id);
    this.showFigures();
    this.pictures.replaceChildren(element("p", { class: "loading" }, say("page.loading")));
    const files = await Promise.all(
      DATES.map(async (date) => ({
        image: await api.getImage(this.id, date),
        mask: await api.getMask(this.id, date),
      })),
    );
    if (this.isClosed) return;
    await this.showPictures(files);
    this.showFoot();
  }

  async showPictures(files) {
    const pair = new PairView();
    this.toolbar = new Toolbar(pair, {
      measure: () => this.measure(),
      toAutomatic: () => this.toAutomatic(),
    });
    this.pictures.replaceChildren(this.toolbar.element, pair.element);
    try {
      await pair.load(this.result, files);
    } catch {
      this.pictures.replaceChildren(element("p", { class: "loading" }, say("page.no-images")));
      return;
    }
    this.pair = pair;
    this.discAt = null;
    pair.addEventListener("painted", () => this.painted());
    pair.addEventListener("pointed", (event) => this.pointed(event.detail));
    this.toolbar.applyStyle();
    this.setBusy(false);
    pair.setTool("window");
    this.pictures.dataset.isReady = "true";
  }

  showProgress() {
    this.pair?.close();
    this.pair = null;
    delete this.pictures.dataset.isReady;
    this.heading.textContent = say("html.heading", { level: this.case.level });
    this.person.textContent = this.personLine();
    const isRunning = ["queued", "running"].includes(this.case.state);
    this.pictures.replaceChildren(
      element(
        "div",
        { class: "progress" },
        element("p", { role: "status" }, stateInWords(this.case)),
        isRunning ? element("progress", { "aria-label": say("page.being-measured") }) : null,
        this.case.message ? element("p", { class: "fault" }, this.case.message) : null,
      ),
    );
    this.found.replaceChildren(...(this.case.state === "failed" ? [this.levelForm()] : []));
    this.foot.replaceChildren();
  }

  showFigures() {
    const { level } = this.case;
    this.heading.textContent = say("html.heading", { level });
    this.person.textContent = this.personLine();
    this.found.replaceChildren(
      ...figures(this.result), this.levelForm(), this.downloads(), help(),
    );
  }

  showFoot() {
    const now = { isUnmeasured: this.hasUnmeasured, isBusy: this.isBusy };
    this.foot.replaceChildren(
      signingPanel(this.case, now, {
        sign: () => this.sign(),
        reopen: () => this.reopen(),
        send: () => this.act(() => api.sendAgain(this.id, this.case)),
      }),
    );
  }

  personLine() {
    const { patient } = this.case;
    return [patient.id, personInWords(patient)].filter(Boolean).join(", ");
  }

  // Changing it -------------------------------------------------------------------------------

  painted() {
    this.toolbar.update();
    this.said.textContent = "";
    this.showFoot();
  }

  /** Send what was painted, and show what comes of it beside the automatic figures. */
  measure() {
    return this.act(async () => {
      const began = performance.now();
      this.said.textContent = say("page.being-measured");
      let answer = null;
      try {
        for (const [n, date] of DATES.entries()) {
          const { mask } = this.pair.views[n];
          if (!mask.isChanged) continue;
          const state = mask.state;
          const content = await mask.toNifti();
          const { revision } = answer?.case ?? this.case;
          answer = await api.putMask(this.id, date, { revision, content });
          mask.markMeasured(state);
        }
      } finally {
        if (answer) this.take(answer);
      }
      const seconds = (performance.now() - began) / 1000;
      this.said.textContent = say("page.measured-in", { seconds });
    });
  }

  toAutomatic() {
    return this.act(async () => {
      for (const date of DATES) {
        if (this.result[date].mask_source === "automatic") continue;
        this.take(await api.deleteMask(this.id, date, { revision: this.case.revision }));
      }
      await this.pair.setMasks(await Promise.all(DATES.map((date) => api.getMask(this.id, date))));
    });
  }

  pointed(patientMm) {
    this.discAt = patientMm;
    this.levelSays.textContent = say("page.level-pointed");
    this.levelButton.disabled = false;
  }

  measureLevel() {
    return this.act(async () => {
      const level = this.levelSelect.value;
      const asked = { revision: this.case.revision, level, discAt: this.discAt };
      this.case = (await api.putLevel(this.id, asked)) ?? this.case;
      await this.load();
    });
  }

  async sign() {
    const name = await askForSignature(this.result);
    if (name) await this.act(() => api.sign(this.id, { revision: this.case.revision, name }));
  }

  async reopen() {
    if (await askToReopen()) await this.act(() => api.reopen(this.id, this.case));
  }

  /** Do something at the service; say what it says against it. */
  async act(work) {
    this.said.textContent = "";
    this.setBusy(true);
    try {
      const answer = await work();
      if (answer?.state) this.case = answer;
      else this.case = await api.getCase(this.id);
      this.shown = this.case.revision;
    } catch (problem) {
      if (problem.status === 409 || problem.status === 412) await this.changedMeanwhile();
      else this.said.textContent = problem.message;
    }
    this.setBusy(false);
  }

  take({ case: changed, result }) {
    this.case = changed;
    this.shown = changed.revision;
    this.result = result;
    this.showFigures();
    this.pair.describe(result);
  }

  setBusy(isBusy) {
    this.isBusy = isBusy;
    if (!this.pair) return;
    this.pair.mayCorrect = this.case.state === "measured" && !isBusy;
    if (isSigned(this.case)) this.pair.setTool("window");
    const isCorrected = DATES.some((date) => this.result[date].mask_source === "person");
    this.toolbar.update({ isBusy, isCorrected });
    this.showFoot();
    this.levelSelect.disabled = isBusy || isSigned(this.case);
  }

  async changedMeanwhile() {
    await this.load();
    this.said.textContent = say("page.changed-meanwhile");
  }

  async heard(change) {
    this.wasToldEarly ||= !this.case;
    if (!this.case) return;
    if (this.isBusy || (change && change.id !== this.id)) return;
    if (change?.state === "deleted") return this.load();
    const before = this.case;
    this.case = await api.getCase(this.id).catch(() => before);
    if (before && before.state !== this.case.state) this.announce(stateInWords(this.case));
    if (!WITH_RESULT.includes(this.case.state)) this.showProgress();
    else if (!this.pair && !WITH_RESULT.includes(before?.state)) await this.loadResult();
    else if (this.case.state === "measured" && this.case.revision !== this.shown) {
      await this.changedMeanwhile();
    } else this.setBusy(false);
    this.shown = this.case.revision;
  }

  // Parts -------------------------------------------------------------------------------------

  levelForm() {
    this.levelSelect = element(
      "select",
      { id: "level", onchange: () => this.levelChosen() },
      ...LEVELS.map((level) => element("option", { value: level }, level)),
    );
    this.levelSelect.value = this.case.level;
    this.levelButton = button("page.level-measure", () => this.measureLevel(), "level-measure");
    this.levelButton.disabled = this.case.state !== "failed";
    this.levelSays = element("p", { class: "hint", role: "status" }, say("page.level-hint"));
    return element(
      "section",
      { class: "level" },
      element("h2", {}, element("label", { for: "level" }, say("page.level-heading"))),
      element("div", { class: "group" }, this.levelSelect, this.levelButton),
      this.levelSays,
    );
  }

  levelChosen() {
    const isOther = this.levelSelect.value !== this.case.level;
    this.levelButton.disabled = !isOther && !this.discAt && this.case.state !== "failed";
  }

  downloads() {
    return element(
      "section",
      { class: "downloads" },
      element("h2", {}, say("page.downloads-heading")),
      element(
        "ul",
        {},
        ...Object.entries(FILES).map(([name, words]) =>
          element("li", {}, button(words, () => this.download(name), `file-${name}`)),
        ),
      ),
    );
  }

  async download(name) {
    this.said.textContent = say("page.file-being-made");
    try {
      save(await api.getFile(this.id, name), name);
      this.said.textContent = "";
    } catch (problem) {
      this.said.textContent = problem.message;
    }
  }
}

function save(content, name) {
  const address = URL.createObjectURL(content);
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

function help() {
  return element(
    "details",
    {},
    element("summary", {}, say("page.help-heading")),
    element("ul", {}, ...HELP.map((name) => element("li", {}, say(`page.help-${name}`)))),
  );
}
