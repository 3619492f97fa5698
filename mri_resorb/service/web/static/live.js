/** What changes at the service, told as it happens. */

let source = null;
const listeners = new Set();

/**
 * Hear of every change from now on.
 *
 * @param {(change: {id: string, state: string, step: string|null, revision: number}|null) => void}
 *   heard called with null when the line is new or was down, and changes may have been missed
 * @returns {() => void} call it to hear no more
 */
export function listen(heard) {
  listeners.add(heard);
  return () => listeners.delete(heard);
}

/**
 * Keep a line to the service open.
 *
 * @param {(isOpen: boolean) => void} tell whether it is
 */
export function connect(tell) {
  disconnect();
  let wasLost = false;
  source = new EventSource("/api/events");
  source.addEventListener("open", () => {
    tell(true);
    if (wasLost) listeners.forEach((heard) => heard(null));
    wasLost = false;
  });
  // From here on nothing is missed; what changed between a page's questions and this moment may be.
  source.addEventListener("listening", () => listeners.forEach((heard) => heard(null)));
  source.addEventListener("case", (event) => {
    const change = JSON.parse(event.data);
    listeners.forEach((heard) => heard(change));
  });
  source.addEventListener("error", () => {
    wasLost = true;
    tell(false);
    // A browser gives up after an answer that is no stream; the service may only be starting.
    if (source?.readyState === EventSource.CLOSED) setTimeout(() => source && connect(tell), 3000);
  });
}

export function disconnect() {
  source?.close();
  source = null;
}
