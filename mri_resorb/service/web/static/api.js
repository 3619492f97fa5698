/** The service's REST interface. Nothing here is ever written to the console. */

/** What the service answered instead of what was asked: RFC 9457 problem details. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

let csrf = null;
let whenSignedOut = () => {};

/** What to do when the service no longer knows who asks. */
export function onSignedOut(act) {
  whenSignedOut = act;
}

/** The session that is open, or null. */
export async function currentSession() {
  const response = await fetch("/api/session");
  if (response.status === 401) return null;
  return opened(await read(response));
}

export async function signIn(name, password) {
  const response = await fetch("/api/session", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ name, password }),
  });
  return opened(await read(response));
}

export async function signOut() {
  await send("DELETE", "/api/session");
  csrf = null;
}

export function listCases() {
  return get("/api/cases");
}

export function getCase(id) {
  return get(`/api/cases/${id}`);
}

export function getResult(id) {
  return get(`/api/cases/${id}/result`);
}

/** A date's series, NIfTI as bytes. */
export async function getImage(id, date) {
  return bytes(await ask(`/api/cases/${id}/images/${date}`));
}

/** The fragment of a date that is measured now, NIfTI as bytes; null where there is none. */
export async function getMask(id, date) {
  const response = await ask(`/api/cases/${id}/masks/${date}`, {}, [404]);
  return response.status === 404 ? null : bytes(response);
}

/** Have a corrected fragment measured: `{case, result}`. */
export function putMask(id, date, { revision, content }) {
  return send("PUT", `/api/cases/${id}/masks/${date}`, {
    revision,
    body: content,
    type: "application/octet-stream",
  });
}

/** Measure the automatic fragment of a date again: `{case, result}`. */
export function deleteMask(id, date, { revision }) {
  return send("DELETE", `/api/cases/${id}/masks/${date}`, { revision });
}

export function putLevel(id, { revision, level, discAt }) {
  return send("PUT", `/api/cases/${id}/level`, { revision, json: { level, disc_at: discAt } });
}

export function sign(id, { revision, name }) {
  return send("POST", `/api/cases/${id}/signature`, { revision, json: { name } });
}

export function reopen(id, { revision }) {
  return send("DELETE", `/api/cases/${id}/signature`, { revision });
}

export function sendAgain(id, { revision }) {
  return send("POST", `/api/cases/${id}/sending`, { revision });
}

/** A file of the result; reports that are still being written are waited for. */
export async function getFile(id, name) {
  for (;;) {
    const response = await ask(`/api/cases/${id}/files/${name}`, {}, [503]);
    if (response.status !== 503) return response.blob();
    const seconds = Number(response.headers.get("Retry-After") ?? 2);
    await new Promise((done) => setTimeout(done, 1000 * seconds));
  }
}

async function get(address) {
  return read(await ask(address));
}

async function send(method, address, { revision, json, body, type } = {}) {
  const headers = { "X-CSRF-Token": csrf };
  if (revision !== undefined) headers["If-Match"] = `"${revision}"`;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  if (type !== undefined) headers["Content-Type"] = type;
  const content = json === undefined ? body : JSON.stringify(json);
  return read(await ask(address, { method, headers, body: content }));
}

async function ask(address, options = {}, allowed = []) {
  const response = await fetch(address, options);
  if (response.status === 401) whenSignedOut();
  if (!response.ok && !allowed.includes(response.status)) await refuse(response);
  return response;
}

async function read(response) {
  if (!response.ok) await refuse(response);
  return response.status === 204 ? null : response.json();
}

async function bytes(response) {
  return response.arrayBuffer();
}

async function refuse(response) {
  const problem = await response.json().catch(() => ({}));
  throw new Problem(response.status, problem.detail ?? problem.title ?? String(response.status));
}

function opened(session) {
  csrf = session.csrf;
  return session;
}
