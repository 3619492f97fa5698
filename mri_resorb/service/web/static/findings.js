/** What a result says, in the words of the reports. */

import { currentLanguage, decimal, estimate, isSaid, percent, say } from "./words.js";

const BANDS = { "under-25": "under-25", "25-50": "25-50", "50-100": "50-100", complete: "complete" };

/** The verdict of a case or of a row of the list: `{status?, verdict, band?, baseline, follow_up}`. */
export function verdictInWords({ verdict, band, baseline, followUp }) {
  if (verdict === "undetermined") return say("case.verdict-undetermined");
  if (baseline === "absent" && followUp === "absent") return say("case.verdict-absent");
  if (verdict === "increased") return say("case.verdict-increased");
  if (verdict !== "decreased") return say("case.verdict-unchanged");
  if (!band) return say("case.verdict-decreased");
  return say("case.verdict-decreased-band", { band: say(`case.band-${BANDS[band]}`) });
}

/** The verdict of a result document. */
export function resultVerdict({ status, change, baseline, follow_up }) {
  return verdictInWords({
    verdict: status === "undetermined" ? "undetermined" : change.verdict,
    band: change.band,
    baseline: baseline.status,
    followUp: follow_up.status,
  });
}

/** "Resorption: 50 % (95 % interval 35 to 62 %)". */
export function resorptionInWords({ value, low, high }) {
  const figures = { value: percent(value), low: percent(low), high: percent(high) };
  return say("figure.resorption", { resorption: say("case.estimate-percent", figures) });
}

/** A warning or a reason, in the page's language. */
export function remarkInWords(remark) {
  const words = remark.translations?.[currentLanguage()] ?? remark.message;
  return words.replace(say("page.option-words"), say("page.option-tool"));
}

/** "Woman, 50 years old": what the files say of the person. */
export function personInWords({ sex, age_years: years }) {
  const known = [];
  if (sex) known.push(say(sex === "F" ? "case.woman" : "case.man"));
  if (years !== null && years !== undefined) known.push(say("case.age", { years }));
  return known.join(", ");
}

/** Rows of [label, baseline, follow-up] of what was measured besides the volumes. */
export function measures({ baseline, follow_up: followUp }) {
  const row = (label, cell) => [say(label), cell(baseline), cell(followUp)];
  return [
    row("html.measure-finding", statusInWords),
    row("html.measure-type", ({ type }) => (type ? say(`html.type-${type}`) : "–")),
    row("html.measure-migration", ({ migration }) => (migration ? place(migration) : "–")),
    row("html.measure-ap", ({ size_cm: size }) => length(size?.ap)),
    row("html.measure-transverse", ({ size_cm: size }) => length(size?.transverse)),
    row("html.measure-craniocaudal", ({ size_cm: size }) => length(size?.craniocaudal)),
    row("html.measure-reach", ({ reach_mm: reach }) => length(reach, 1)),
    row("html.measure-compromise", ({ canal_compromise_percent: part }) =>
      part === null ? "–" : `${percent(part)} %`,
    ),
  ];
}

/** What became of a date's volume: the figure, or why there is none. */
export function volumeInWords({ status, volume_cm3: volume }) {
  if (volume) return estimate(volume);
  return say(status === "incomplete" ? "case.volume-incomplete" : "html.not-measured");
}

/** What a case is doing now. */
export function stateInWords({ state, step }) {
  const words = say(`page.state-${state}`);
  if (state !== "running" || !step || !isSaid(`page.step-${step}`)) return words;
  return `${words}: ${say(`page.step-${step}`)}`;
}

function statusInWords({ status }) {
  return say(`html.status-${status}`);
}

function place({ craniocaudal, side }) {
  return `${say(`html.migration-${craniocaudal}`)}, ${say(`html.side-${side}`)}`;
}

function length(value, places = 2) {
  return value === null || value === undefined ? "–" : decimal(value, places);
}
