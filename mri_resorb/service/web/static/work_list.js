/** All cases: sorted, filtered, and brought up to date as they change. */

import { getCase, listCases } from "./api.js";
import { element } from "./dom.js";
import { personInWords, stateInWords, verdictInWords } from "./findings.js";
import { listen } from "./live.js";
import { decimal, estimate, say, shortDate, shortMoment } from "./words.js";

const STATES = [
  "measured", "running", "queued", "waiting", "failed", "signed", "sending", "sent", "send_failed",
];
const ORDER_OF_STATE = Object.fromEntries(STATES.map((state, n) => [state, n]));

/** What is shown and how it is sorted; kept while the page is open. */
const view = { search: "", state: "", sortedBy: "changed", isDescending: true };

const COLUMNS = {
  state: { name: "page.filter-state", key: (of) => ORDER_OF_STATE[of.state], cell: stateCell },
  patient: { name: "page.column-patient", key: (of) => of.patient.id ?? "", cell: patientCell },
  level: { name: "page.column-level", key: (of) => of.level, cell: (of) => [of.level] },
  baseline: { name: "html.baseline", key: (of) => of.baseline?.date ?? "", cell: (of) => [shortDate(of.baseline?.date)] },
  followUp: { name: "html.follow-up", key: (of) => of.follow_up.date ?? "", cell: (of) => [shortDate(of.follow_up.date)] },
  volume: { name: "page.column-volume", key: (of) => of.baseline?.volume_cm3?.value ?? -1, cell: volumeCell },
  resorption: { name: "page.column-resorption", key: (of) => of.resorption_percent?.value ?? -Infinity, cell: resorptionCell },
  verdict: { name: "page.column-verdict", key: (of) => of.verdict ?? "", cell: verdictCell },
  changed: { name: "page.column-changed", key: (of) => of.changed_at, cell: (of) => [shortMoment(of.changed_at)] },
};

export class WorkList {
  /** @param {(words: string) => void} announce tells those who do not see the page */
  constructor(announce) {
    this.announce = announce;
    this.cases = new Map();
    this.body = element("tbody");
    this.count = element("p", { class: "count" });
    this.heads = Object.entries(COLUMNS).map(([key, column]) => this.head(key, column));
    this.element = element(
      "section",
      { class: "work-list" },
      element("h1", {}, say("page.work-list")),
      this.filters(),
      element(
        "div",
        { class: "scrolling", tabindex: "0", role: "region", "aria-label": say("page.work-list") },
        element("table", { "aria-label": say("page.work-list") },
          element("thead", {}, element("tr", {}, ...this.heads)), this.body),
      ),
    );
  }

  async open() {
    this.stop = listen((change) => this.heard(change));
    await this.load();
  }

  close() {
    this.stop?.();
  }

  async load() {
    const meanwhile = []; // what is heard while the list is on its way may be newer than the list
    this.heardMeanwhile = meanwhile;
    try {
      const cases = await listCases();
      if (this.heardMeanwhile !== meanwhile) return; // a newer list is on its way
      this.cases = new Map(cases.map((of) => [of.id, of]));
    } finally {
      if (this.heardMeanwhile === meanwhile) this.heardMeanwhile = null;
    }
    this.show();
    for (const change of meanwhile) await this.heard(change);
  }

  async heard(change) {
    if (!change) return this.load();
    if (this.heardMeanwhile) return this.heardMeanwhile.push(change);
    const before = this.cases.get(change.id);
    if (change.state === "deleted") this.cases.delete(change.id);
    else if (before && before.revision === change.revision && before.state === change.state) {
      this.cases.set(change.id, { ...before, step: change.step });
    } else {
      const found = await getCase(change.id).catch(() => null);
      if (!found) return;
      this.cases.set(change.id, found);
      if (before?.state !== found.state) {
        const state = say(`page.state-${found.state}`);
        this.announce(say("page.became", { level: found.level, state }));
      }
    }
    this.show();
  }

  show() {
    const { key } = COLUMNS[view.sortedBy];
    const direction = view.isDescending ? -1 : 1;
    const shown = [...this.cases.values()].filter(isWanted);
    shown.sort((a, b) => direction * compare(key(a), key(b)) || compare(a.id, b.id));
    const active = document.activeElement?.closest?.("tr[data-id]")?.dataset.id;
    this.body.replaceChildren(...(shown.length ? shown.map(row) : [this.emptyRow()]));
    if (active) this.body.querySelector(`tr[data-id="${active}"] a`)?.focus();
    this.count.textContent = say("page.list-count", { cases: shown.length });
    Object.keys(COLUMNS).forEach((name, n) => {
      const direction = view.isDescending ? "descending" : "ascending";
      this.heads[n].setAttribute("aria-sort", name === view.sortedBy ? direction : "none");
    });
  }

  emptyRow() {
    const words = say(this.cases.size ? "page.list-no-match" : "page.list-empty");
    return element("tr", {}, element("td", { class: "empty", colspan: this.heads.length }, words));
  }

  head(key, { name }) {
    const sort = () => {
      view.isDescending = view.sortedBy === key ? !view.isDescending : key === "changed";
      view.sortedBy = key;
      this.show();
    };
    return element(
      "th",
      { scope: "col", class: key },
      element("button", { type: "button", onclick: sort }, say(name)),
    );
  }

  filters() {
    const search = element("input", {
      type: "search", id: "search", value: view.search, autocomplete: "off",
      oninput: () => ((view.search = search.value), this.show()),
    });
    const state = element(
      "select",
      { id: "state", onchange: () => ((view.state = state.value), this.show()) },
      element("option", { value: "" }, say("page.state-any")),
      ...STATES.map((name) => element("option", { value: name }, say(`page.state-${name}`))),
    );
    state.value = view.state;
    return element(
      "div",
      { class: "filters" },
      element("label", { for: "search" }, say("page.search")), search,
      element("label", { for: "state" }, say("page.filter-state")), state,
      this.count,
    );
  }
}

function isWanted(of) {
  const wanted = view.search.trim().toLowerCase();
  if (view.state && of.state !== view.state) return false;
  return !wanted || (of.patient.id ?? "").toLowerCase().includes(wanted);
}

function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

function row(of) {
  const cells = Object.entries(COLUMNS).map(([key, { cell }]) =>
    element("td", { class: key }, ...cell(of)),
  );
  const open = (event) => {
    if (!event.target.closest("a")) location.hash = `#/cases/${of.id}`;
  };
  return element("tr", { "data-id": of.id, "data-state": of.state, onclick: open }, ...cells);
}

function stateCell(of) {
  return [
    element("a", { href: `#/cases/${of.id}`, class: `state ${of.state}` }, stateInWords(of)),
    of.corrected ? element("small", {}, say("page.corrected-mark")) : null,
  ];
}

function patientCell({ patient }) {
  return [patient.id ?? "–", element("small", {}, personInWords(patient))];
}

function volumeCell({ baseline, follow_up: followUp }) {
  const figure = (of) => (of?.volume_cm3 ? decimal(of.volume_cm3.value, 2) : "–");
  return baseline?.status ? [`${figure(baseline)} → ${figure(followUp)}`] : ["–"];
}

function resorptionCell({ resorption_percent: resorption }) {
  if (!resorption) return ["–"];
  const [, value, interval] = estimate(resorption, { unit: " %" }).match(/^(.+?) (\(.+\))$/);
  return [element("strong", {}, value), element("small", {}, interval)];
}

function verdictCell({ verdict, baseline, follow_up: followUp, message, state }) {
  if (verdict) {
    return [verdictInWords({ verdict, baseline: baseline?.status, followUp: followUp.status })];
  }
  return [["failed", "waiting", "send_failed"].includes(state) ? message ?? "–" : "–"];
}
