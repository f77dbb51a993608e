(() => {
  "use strict";
  const form = document.querySelector("form[data-filters]");
  if (!form) return;
  const items = [...document.querySelectorAll("[data-item]")].map((node) => ({
    node,
    theses: (node.dataset.t || "").split(" ").filter(Boolean),
    scores: (node.dataset.s || "").split(" ").filter(Boolean).map(Number),
    doc: node.dataset.doc,
    text: null,
  }));
  const sections = [...document.querySelectorAll("section[data-section]")];
  const shown = form.querySelector("output");
  const minimum = form.querySelector("[data-min]");

  const apply = () => {
    const picked = new Set([...form.querySelectorAll("input[name=t]:checked")].map((box) => box.value));
    const words = form.elements.q.value.trim().toLowerCase();
    const doc = form.elements.doc ? form.elements.doc.value : "";
    const least = Number(form.elements.min.value);
    const labelled = form.elements.labelled.checked || picked.size > 0 || least > 0;
    minimum.textContent = least.toFixed(2);
    let count = 0;
    for (const item of items) {
      let fits = doc === "" || item.doc === doc;
      if (fits && labelled) {
        fits = item.theses.some((t, i) => item.scores[i] >= least && (picked.size === 0 || picked.has(t)));
      }
      if (fits && words) {
        item.text ??= item.node.textContent.toLowerCase();
        fits = item.text.includes(words);
      }
      item.node.hidden = !fits;
      if (fits) count += 1;
    }
    for (const section of sections) {
      section.hidden = !section.querySelector("[data-item]:not([hidden])");
    }
    shown.textContent = String(count);
  };

  let waiting = 0;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 120);
  };
  form.addEventListener("input", later);
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
