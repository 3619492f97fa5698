"use strict";
// Scrolls both dates of a plane together; without this script the page shows the fullest place.
for (const stack of document.querySelectorAll(".stack")) {
  const slider = stack.querySelector("input[type=range]");
  if (!slider) continue;
  const steps = JSON.parse(stack.dataset.steps); // [words, baseline's picture, follow-up's picture]
  const plane = stack.dataset.plane;
  const [one, two] = plane === "axial" ? ["y1", "y2"] : ["x1", "x2"];

  const show = (place) => {
    const step = steps[place];
    for (const panel of stack.querySelectorAll(".panel")) {
      const number = step[panel.dataset.follows];
      let shown = null;
      for (const slice of panel.querySelectorAll(".slice")) {
        const is = number !== null && slice.dataset.n === String(number);
        slice.classList.toggle("shown", is);
        if (is) shown = slice;
      }
      panel.classList.toggle("empty", shown === null);
      if (panel.classList.contains("change")) continue;
      const where = panel.querySelector(".where");
      if (where) where.textContent = shown ? shown.dataset.where : stack.dataset.nothing;
      const lines = `.reference[data-of="${plane}"][data-follows="${panel.dataset.follows}"]`;
      for (const line of document.querySelectorAll(lines)) {
        line.classList.toggle("off", shown === null);
        if (!shown) continue;
        line.setAttribute(one, shown.dataset.offset);
        line.setAttribute(two, shown.dataset.offset);
      }
    }
    slider.setAttribute("aria-valuetext", step[0]);
    stack.querySelector("output").textContent = step[0];
  };

  slider.addEventListener("input", () => show(slider.valueAsNumber));

  let turned = 0; // Touchpads send many small turns.
  stack.querySelector(".panels").addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.deltaY === 0) return;
    const next = slider.valueAsNumber + Math.sign(event.deltaY);
    if (next < 0 || next >= steps.length) return; // At an end, the page goes on.
    event.preventDefault();
    turned = Math.sign(turned) === Math.sign(event.deltaY) ? turned + event.deltaY : event.deltaY;
    if (Math.abs(turned) < 30 && event.deltaMode === 0) return;
    turned = 0;
    slider.value = next;
    show(next);
  }, { passive: false });

  slider.closest(".scroll").hidden = false;
  show(slider.valueAsNumber); // A reloaded page may keep the slider where it was.
}
