/** The page: who reads, in which language, and what is shown: the work list or a case. */

import { currentSession, onSignedOut, signOut } from "./api.js";
import { element } from "./dom.js";
import { connect, disconnect } from "./live.js";
import { signInPage } from "./sign_in.js";
import { LANGUAGES, currentLanguage, preferredLanguage, say, speak } from "./words.js";
import { WorkList } from "./work_list.js";

const main = document.querySelector("main");
const bar = document.querySelector("#bar");
const foot = document.querySelector("#disclaimer");
const lost = document.querySelector("#connection");
const told = document.querySelector("#told");

let session = null;
let shown = null; // the work list or the case that is open

async function start() {
  await speak(preferredLanguage());
  onSignedOut(() => session && begin(null));
  addEventListener("hashchange", ({ oldURL }) => {
    if (mayLeave()) show();
    else history.replaceState(null, "", oldURL);
  });
  addEventListener("beforeunload", (event) => {
    if (shown?.hasUnmeasured) event.preventDefault();
  });
  begin(await currentSession());
}

/** Show what a session may see, or the form that opens one. */
function begin(opened) {
  session = opened;
  if (session) {
    connect((isOpen) => {
      lost.hidden = isOpen;
      lost.textContent = say("page.connection-lost");
    });
  } else disconnect();
  show();
}

async function show() {
  shown?.close();
  shown = null;
  showFrame();
  if (!session) {
    main.replaceChildren(signInPage(begin));
    main.querySelector("input").focus();
    return;
  }
  const [, id] = location.hash.match(/^#\/cases\/([\w-]+)$/) ?? [];
  shown = id ? await casePage(id) : new WorkList(announce);
  main.replaceChildren(shown.element);
  main.dataset.shows = id ? "case" : "list";
  await shown.open();
}

/** The viewer is big: it is loaded with the first case, not before the work list. */
async function casePage(id) {
  const { CasePage } = await import("./case_page.js");
  return new CasePage(id, announce);
}

function showFrame() {
  foot.textContent = say("case.disclaimer");
  const language = element(
    "select",
    { id: "language", "aria-label": say("page.language"), onchange: () => change(language.value) },
    ...Object.entries(LANGUAGES).map(([code, name]) => element("option", { value: code, lang: code }, name)),
  );
  language.value = currentLanguage();
  bar.replaceChildren(
    session ? element("a", { href: "#/", class: "home" }, say("page.work-list")) : element("span", { class: "home" }, "mri-resorb"),
    element("div", { class: "group" }, language, ...(session ? who() : [])),
  );
}

function who() {
  return [
    element("span", { class: "who" }, session.name),
    element("button", { type: "button", onclick: leave }, say("page.sign-out")),
  ];
}

async function change(code) {
  if (!mayLeave()) return showFrame();
  await speak(code);
  await show();
}

async function leave() {
  if (!mayLeave()) return;
  await signOut().catch(() => null);
  shown?.close();
  shown = null;
  history.replaceState(null, "", "#/");
  begin(null);
}

function mayLeave() {
  return !shown?.hasUnmeasured || confirm(say("page.leave"));
}

function announce(words) {
  told.textContent = words;
}

start();
