"use strict";
// Sorting and filtering of the entries. Without this script the page shows all
// of them, by name.
(() => {
  const table = document.querySelector("table.entries");
  if (!table) return;
  const entries = [...table.tBodies];
  const tools = document.querySelector(".tools");
  const filter = tools.querySelector("input");
  const shown = tools.querySelector("[role=status]");
  const number = new Intl.NumberFormat("en");
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  // What is searched in, taken when it is first needed.
  let texts = null;
  const tell = count => {
    const all = number.format(entries.length);
    shown.textContent = count === entries.length
      ? `${all} ${tools.dataset.many}`
      : `${number.format(count)} of ${all} ${tools.dataset.many}, by “${filter.value.trim()}”`;
  };
  const select = () => {
    // A word does not go from one cell into the next.
    const text = entry => [...entry.rows].flatMap(row => [...row.cells])
      .map(cell => cell.textContent).join("\n").toLowerCase();
    texts ??= entries.map(text);
    const words = filter.value.toLowerCase().split(/\s+/).filter(word => word);
    let count = 0;
    entries.forEach((entry, at) => {
      const fits = words.every(word => texts[at].includes(word));
      if (entry.hidden === fits) entry.hidden = !fits;
      count += fits;
    });
    tell(count);
  };
  // Large tables are laid out anew after a pause, not after each key.
  let pause = 0;
  filter.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(select, entries.length > 500 ? 150 : 0);
  });

  // A cell says what it is sorted by where that is not its text.
  const key = (entry, column, isNumber) => {
    const cell = entry.rows[0].cells[column];
    const text = cell.dataset.key ?? cell.textContent;
    return isNumber ? Number(text) : text;
  };
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const kind = head.dataset.sort;
    if (!kind) return;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    head.ariaSort = "none";
    button.addEventListener("click", () => {
      const turn = head.ariaSort === "ascending" ? -1 : 1;
      heads.forEach(other => { if (other.ariaSort) other.ariaSort = "none"; });
      head.ariaSort = turn === 1 ? "ascending" : "descending";
      const compare = kind === "text"
        ? (a, b) => collator.compare(a, b)
        : (a, b) => (a > b) - (a < b);
      const keyed = entries.map((entry, at) => ({ entry, at, key: key(entry, column, kind === "number") }));
      keyed.sort((a, b) => turn * compare(a.key, b.key) || a.at - b.at);
      const sorted = document.createDocumentFragment();
      keyed.forEach(one => sorted.append(one.entry));
      table.append(sorted);
    });
  });
  tools.hidden = false;
  tell(entries.length);
})();
