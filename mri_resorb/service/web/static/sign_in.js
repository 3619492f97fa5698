/** The form that lets a reader in. */

import { signIn } from "./api.js";
import { element } from "./dom.js";
import { say } from "./words.js";

/** @param {(session: Object) => void} done called with the session that was opened */
export function signInPage(done) {
  const name = element("input", {
    type: "text", id: "name", required: true, autocomplete: "username", autocapitalize: "none",
    spellcheck: "false",
  });
  const password = element("input", {
    type: "password", id: "password", required: true, autocomplete: "current-password",
  });
  const fault = element("p", { class: "fault", role: "alert" });
  const submit = element("button", { type: "submit", class: "primary" }, say("page.sign-in"));

  async function enter(event) {
    event.preventDefault();
    fault.textContent = "";
    submit.disabled = true;
    try {
      done(await signIn(name.value, password.value));
    } catch (problem) {
      const known = { 401: "page.sign-in-wrong", 422: "page.sign-in-wrong", 429: "page.sign-in-wait" };
      fault.textContent = problem.status in known ? say(known[problem.status]) : problem.message;
      submit.disabled = false;
      password.select();
    }
  }

  return element(
    "form",
    { class: "sign-in", onsubmit: enter },
    element("h1", {}, say("page.sign-in")),
    element("p", {}, say("html.eyebrow")),
    element("label", { for: "name" }, say("page.sign-in-name")), name,
    element("label", { for: "password" }, say("page.sign-in-password")), password,
    fault,
    submit,
  );
}
