/** Accepting a result: signature, what became of it in the PACS, and taking it back. */

import { element } from "./dom.js";
import { resorptionInWords, resultVerdict } from "./findings.js";
import { button } from "./toolbar.js";
import { moment, say } from "./words.js";

const SIGNED_STATES = ["signed", "sending", "sent", "send_failed"];

/** Whether a case is signed, and its result therefore frozen. */
export function isSigned({ state }) {
  return SIGNED_STATES.includes(state);
}

/**
 * What stands at the foot of a case's figures.
 *
 * @param {Object} of the case
 * @param {{isUnmeasured: boolean, isBusy: boolean}} now
 * @param {{sign: Function, reopen: Function, send: Function}} acts what the buttons do
 */
export function signingPanel(of, { isUnmeasured, isBusy }, acts) {
  if (!isSigned(of)) {
    const open = button("page.sign", acts.sign, "sign");
    open.classList.add("primary");
    open.disabled = of.state !== "measured" || isUnmeasured || isBusy;
    const why = isUnmeasured ? element("p", { class: "hint" }, say("page.unmeasured")) : null;
    return element("section", { class: "signing" }, why, open);
  }
  const lines = [
    say("page.signed-by", { name: of.signed.by, moment: moment(of.signed.at) }),
    of.sent
      ? say("page.sent-at", { objects: of.sent.objects, moment: moment(of.sent.at) })
      : of.state === "signed" ? null : say(`page.state-${of.state}`),
    of.state === "send_failed" ? of.message : null,
  ];
  const again = ["send_failed", "sent"].includes(of.state)
    ? button("page.send-again", acts.send, "send-again")
    : null;
  return element(
    "section",
    { class: "signing" },
    ...lines.filter(Boolean).map((line) => element("p", {}, line)),
    element("div", { class: "group" }, button("page.reopen", acts.reopen, "reopen"), again),
  );
}

/** Ask for the name on the report and for a yes; the name, or null when it was cancelled. */
export function askForSignature(result) {
  const field = element("input", {
    type: "text", id: "sign-name", required: true, maxlength: "64", autocomplete: "name",
  });
  const resorption = result.change.resorption_percent;
  const accept = element("input", { type: "checkbox", id: "sign-accept", required: true });
  return ask(
    say("page.sign"),
    [
      element("p", { class: "verdict" }, resultVerdict(result)),
      resorption ? element("p", {}, resorptionInWords(resorption)) : "",
      element("label", { for: "sign-name" }, say("page.sign-name")),
      field,
      element("p", { class: "check" }, accept, element("label", { for: "sign-accept" }, say("page.sign-accept"))),
    ],
    { yes: say("page.sign-submit"), answer: () => field.value.trim() || null },
  );
}

/** Ask whether the signature shall be taken back: true or null. */
export function askToReopen() {
  return ask(say("page.reopen"), [element("p", {}, say("page.reopen-what"))], {
    yes: say("page.reopen"),
    answer: () => true,
  });
}

function ask(heading, parts, { yes, answer }) {
  return new Promise((done) => {
    const cancel = element("button", { type: "button", onclick: () => dialog.close() }, say("page.cancel"));
    const submit = element("button", { type: "submit", class: "primary" }, yes);
    const form = element(
      "form",
      { method: "dialog" },
      element("h2", { id: "dialog-heading" }, heading),
      ...parts,
      element("div", { class: "group" }, submit, cancel),
    );
    const dialog = element("dialog", { "aria-labelledby": "dialog-heading" }, form);
    let given = null;
    form.addEventListener("submit", () => (given = answer()));
    dialog.addEventListener("close", () => {
      dialog.remove();
      done(given);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
