// Keys, and what a page keeps while it is refreshed. Everything works without this file.
"use strict";
(() => {
  const rows = () => [...document.querySelectorAll(".timeline .moment, .rows > li:not(.day), .card")];
  let current = -1;
  let leader = 0;

  const select = (step) => {
    const all = rows();
    if (all.length === 0) return;
    const known = all.findIndex((row) => row.classList.contains("current"));
    if (known >= 0) current = known;
    current = Math.min(Math.max(current + step, 0), all.length - 1);
    for (const row of all) row.classList.toggle("current", row === all[current]);
    const row = all[current];
    row.scrollIntoView({ block: "nearest" });
    (row.querySelector("a, summary") || row).focus({ preventScroll: true });
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (leader && Date.now() - leader < 1500) {
      leader = 0;
      const link = document.querySelector(`nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) { event.preventDefault(); link.click(); }
      return;
    }
    switch (event.key) {
      case "j": select(1); break;
      case "k": select(-1); break;
      case "g": leader = Date.now(); break;
      case "?": document.getElementById("keys")?.showModal(); break;
      case "/": {
        const field = document.querySelector("[data-search], input[type=search]");
        if (field) { event.preventDefault(); field.focus(); } else { location.href = "/search"; }
        break;
      }
    }
  });

  // What a person opened or closed, and where the keyboard was, outlives a refresh.
  let open = new Map();
  let focused = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    open = new Map();
    for (const item of event.target.querySelectorAll("[id] > details")) open.set(item.parentElement.id, item.open);
    focused = document.activeElement?.closest("[id]")?.id ?? null;
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const [id, was] of open) {
      const item = document.getElementById(id)?.querySelector(":scope > details");
      if (item) item.open = was;
    }
    if (focused && document.activeElement === document.body) {
      const row = document.getElementById(focused);
      (row?.querySelector("a, summary") || row)?.focus({ preventScroll: true });
    }
  });
})();
