(() => {
  "use strict";
  for (const table of document.querySelectorAll("table[data-sort]")) {
    for (const button of table.querySelectorAll("thead button")) {
      button.addEventListener("click", () => {
        const head = button.closest("th");
        const column = [...head.parentNode.children].indexOf(head);
        const number = button.dataset.by === "number";
        // Numbers begin with the largest, names with the first.
        const now = head.getAttribute("aria-sort");
        const down = now ? now === "ascending" : number;
        const key = (row) => {
          const text = row.children[column].textContent.trim();
          const value = Number.parseFloat(text.replace(/[^\d.+-]/g, ""));
          return number ? (Number.isNaN(value) ? -Infinity : value) : text;
        };
        const body = table.tBodies[0];
        const rows = [...body.rows].map((row) => [key(row), row]);
        rows.sort(([a], [b]) => (number ? a - b || 0 : a.localeCompare(b)) * (down ? -1 : 1));
        body.append(...rows.map(([, row]) => row));
        for (const other of table.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
      });
    }
  }
})();
