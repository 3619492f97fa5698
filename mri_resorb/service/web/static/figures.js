/** The figures of a case: what was found, automatic and corrected side by side, and remarks. */

import { element } from "./dom.js";
import { measures, remarkInWords, resultVerdict, volumeInWords } from "./findings.js";
import { estimate, percent, say } from "./words.js";

/** Everything that a result says, as elements one below the other. */
export function figures(result) {
  return [headline(result), refusal(result), comparison(result), warnings(result), details(result)]
    .filter((part) => part !== null);
}

function headline(result) {
  const resorption = result.change.resorption_percent;
  const parts = [
    element(
      "p",
      { class: `verdict ${result.status}` },
      resultVerdict(result),
    ),
  ];
  if (resorption) {
    const [low, high] = [percent(resorption.low), percent(resorption.high)];
    parts.push(
      element("p", { class: "label" }, say("html.resorption-heading")),
      element(
        "p",
        { class: "figure" },
        element("strong", {}, `${percent(resorption.value)} %`),
        element("span", {}, say("html.interval-percent", { low, high })),
      ),
    );
  } else if (result.status === "measured" && result.baseline.status === "absent") {
    parts.push(element("p", {}, say("html.no-percentage")));
  }
  return element("section", { class: "headline" }, ...parts);
}

function refusal({ status, reasons }) {
  if (status !== "undetermined") return null;
  return element(
    "section",
    { class: "refused" },
    element("h2", {}, say("html.refused-heading")),
    list(reasons.map(remarkInWords)),
    element("p", {}, say("html.refused-note")),
  );
}

/** Volumes and resorption: one column, or the automatic beside the corrected one. */
function comparison(result) {
  const columns = result.automatic
    ? [[say("page.automatic"), result.automatic], [say("page.corrected"), result]]
    : [[say("page.automatic"), result]];
  const rows = [
    [say("page.volume-baseline"), ({ baseline }) => volumeInWords(baseline)],
    [say("page.volume-follow-up"), (of) => volumeInWords(of.follow_up)],
    [say("page.resorption-percent"), ({ change }) => resorptionOf(change)],
  ];
  return element(
    "section",
    {},
    element("h2", { id: "figures-heading" }, say("page.figures-heading")),
    element(
      "table",
      { class: "comparison", "aria-labelledby": "figures-heading" },
      head("", columns.map(([name]) => name)),
      element(
        "tbody",
        {},
        ...rows.map(([label, cell]) => row(label, columns.map(([, of]) => split(cell(of))))),
      ),
    ),
  );
}

function resorptionOf({ resorption_percent: resorption }) {
  return resorption ? estimate(resorption, { unit: " %" }) : say("case.resorption-unknown");
}

/** A figure in bold, its interval below it. */
function split(words) {
  const [, value, interval] = words.match(/^(\S+(?: %)?) (\(.+\))$/) ?? [];
  if (!value) return [words];
  return [element("strong", {}, value), element("small", {}, interval)];
}

function warnings({ warnings: given }) {
  if (!given.length) return null;
  return element(
    "section",
    { class: "warnings" },
    element("h2", {}, say("html.warnings-heading")),
    list(given.map(remarkInWords)),
  );
}

function details(result) {
  return element(
    "section",
    {},
    element("h2", { id: "measures-heading" }, say("html.measures-heading")),
    element(
      "table",
      { class: "measures", "aria-labelledby": "measures-heading" },
      head("", [say("html.baseline"), say("html.follow-up")]),
      element(
        "tbody",
        {},
        ...measures(result).map(([label, ...cells]) => row(label, cells.map((cell) => [cell]))),
      ),
    ),
  );
}

function head(first, names) {
  return element(
    "thead",
    {},
    element(
      "tr",
      {},
      element("td", {}, first),
      ...names.map((name) => element("th", { scope: "col" }, name)),
    ),
  );
}

function row(label, cells) {
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, label),
    ...cells.map((parts) => element("td", {}, ...parts)),
  );
}

function list(items) {
  return element("ul", {}, ...items.map((item) => element("li", {}, item)));
}
