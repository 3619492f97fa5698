/**
 * The page's words, from the same catalogues as the reports (`mri_resorb/languages`). A sentence
 * is named `section.key`; values stand in it as `{name}`, `{name:.1f}` or, with plural forms in
 * the order of Unicode's categories, `{count:# slice|# slices}`. Numbers have a decimal comma.
 */

export const LANGUAGES = { en: "English", ru: "Русский", kk: "Қазақша" };
const CATEGORIES = ["zero", "one", "two", "few", "many", "other"];
const KEPT_AS = "mri-resorb.language";

let language = "en";
let sentences = {};

/** The language chosen before on this computer, else the browser's, else English. */
export function preferredLanguage() {
  const wanted = [localStorage.getItem(KEPT_AS), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wanted.find((code) => code in LANGUAGES) ?? "en";
}

export function currentLanguage() {
  return language;
}

/** Load a language's sentences and speak it from now on. */
export async function speak(code) {
  const response = await fetch(`/api/words/${code}`);
  if (!response.ok) throw new Error(`words: ${response.status}`);
  sentences = await response.json();
  language = code;
  localStorage.setItem(KEPT_AS, code);
  document.documentElement.lang = code;
}

/** The sentence of that name with its values. */
export function say(name, values = {}) {
  const sentence = sentences[name];
  if (sentence === undefined) throw new Error(`no such sentence: ${name}`);
  return sentence.replaceAll(/\{(\w+)(?::([^{}]*))?\}/g, (_, key, form) => {
    const value = values[key];
    if (value === undefined) throw new Error(`${name} lacks ${key}`);
    if (form?.includes("#")) return plural(value, form.split("|"));
    return typeof value === "number" ? formatted(value, form ?? "") : value;
  });
}

/** Whether there is a sentence of that name. */
export function isSaid(name) {
  return name in sentences;
}

/** 1.3 as 1,30; no minus before a zero. */
export function decimal(value, places) {
  const text = value.toFixed(places);
  return (/[1-9]/.test(text) ? text : text.replace("-", "")).replace(".", ",");
}

/** Whole percent, except that nothing short of it is called 100: 99,7. */
export function percent(value) {
  if (value >= 99.5 && value < 100) return decimal(Math.floor(value * 10) / 10, 1);
  return decimal(value, 0);
}

/** An estimate `{value, low, high}` with its interval; a dash for null. */
export function estimate(of, { places = 2, unit = "" } = {}) {
  if (!of) return "–";
  const [value, low, high] = [of.value, of.low, of.high].map((figure) =>
    unit === " %" ? percent(figure) : decimal(figure, places),
  );
  return say("html.estimate", { value, unit, low, high });
}

/** An ISO date in full words. */
export function longDate(iso) {
  if (!iso) return say("html.no-date");
  const [year, month, day] = iso.split("-").map(Number);
  return inWords(year, month, day);
}

/** An ISO date in figures, for tables. */
export function shortDate(iso) {
  if (!iso) return "–";
  return inFigures(iso, { timeZone: "UTC" });
}

/** A moment in the reader's own time. */
export function moment(iso) {
  const at = new Date(iso);
  const date = inWords(at.getFullYear(), at.getMonth() + 1, at.getDate());
  const clock = [at.getHours(), at.getMinutes()].map((part) => String(part).padStart(2, "0"));
  return `${date}, ${clock.join(":")}`;
}

/** A moment in figures, for tables. */
export function shortMoment(iso) {
  return inFigures(iso, { hour: "2-digit", minute: "2-digit" });
}

/** 15.03.2021; in English 2021-03-15, which nobody takes for another day. */
function inFigures(iso, options) {
  const locale = language === "en" ? "sv-SE" : "ru";
  const date = { day: "2-digit", month: "2-digit", year: "numeric" };
  return new Intl.DateTimeFormat(locale, { ...date, ...options }).format(new Date(iso));
}

/** As the language writes a date; not every browser knows each language's months. */
function inWords(year, month, day) {
  const parts = { y: year, d: day, MMMM: sentences[`date.month-${month}`] };
  return sentences["date.long"].replaceAll(/'([^']*)'|MMMM|y|d/g, (found, quoted) => quoted ?? parts[found]);
}

function formatted(value, form) {
  const [, sign, places] = form.match(/^(\+?)(?:\.(\d+)f|g)?$/) ?? [];
  const text = places === undefined ? String(value).replace(".", ",") : decimal(value, Number(places));
  return sign && value > 0 ? `+${text}` : text;
}

function plural(count, forms) {
  const rule = new Intl.PluralRules(language);
  const known = new Set(rule.resolvedOptions().pluralCategories);
  const order = CATEGORIES.filter((category) => known.has(category));
  const chosen = forms.length > 1 ? forms[order.indexOf(rule.select(count))] : forms[0];
  return chosen.replaceAll("#", String(count).replace(".", ","));
}
