(() => {
  "use strict";
  const form = document.querySelector("form[data-filters]");
  if (!form) return;
  const words = (text) => (text || "").split(" ").filter(Boolean);
  const items = [...document.querySelectorAll("[data-item]")].map((node) => ({
    node,
    theses: words(node.dataset.t),
    scores: words(node.dataset.s).map(Number),
    text: null,
  }));
  // A heading is shown while one of the items below it is.
  const headings = [];
  for (const node of document.querySelectorAll("section[data-section] > :is(h3, [data-item])")) {
    if (node.localName === "h3") headings.push({ node, items: [] });
    else headings.at(-1)?.items.push(node);
  }
  const sections = [...document.querySelectorAll("section[data-section]")];
  const shown = form.querySelector("output");
  const minimum = form.querySelector("[data-min]");
  const picks = form.querySelector("[data-picked]");
  const choices = [...form.querySelectorAll("select[data-by]")];
  const { q, min, labelled } = form.elements;

  const apply = () => {
    const picked = new Set([...form.querySelectorAll("input[name=t]:checked")].map((box) => box.value));
    const text = q.value.trim().toLowerCase();
    const chosen = choices.filter((c) => c.value !== "").map((c) => [c.dataset.by, c.value]);
    const least = min ? Number(min.value) : 0;
    const argues = labelled?.checked || picked.size > 0 || least > 0;
    if (minimum) minimum.textContent = least.toFixed(2);
    if (picks) picks.textContent = picked.size ? `${picked.size}/` : "";
    let count = 0;
    for (const item of items) {
      let fits = chosen.every(([key, value]) => item.node.dataset[key] === value);
      if (fits && argues) {
        fits = item.theses.some((t, i) => item.scores[i] >= least && (picked.size === 0 || picked.has(t)));
      }
      if (fits && text) {
        // What stands in the margin is no text: the words for roles are words that texts use, too.
        item.text ??= [...item.node.children]
          .map((part) => (part.matches(".n") ? "" : part.textContent))
          .join(" ")
          .toLowerCase();
        fits = item.text.includes(text);
      }
      item.node.hidden = !fits;
      if (fits) count += 1;
    }
    for (const heading of headings) heading.node.hidden = heading.items.every((item) => item.hidden);
    for (const section of sections) section.hidden = !section.querySelector("[data-item]:not([hidden])");
    shown.textContent = String(count);
  };

  let waiting = 0;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, 120);
  });
  form.addEventListener("change", apply);
  form.addEventListener("reset", () => setTimeout(apply));
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
})();
