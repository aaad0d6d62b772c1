"use strict";
(() => {
  const live = document.getElementById("page-live");
  live.hidden = false;
  let last = new Map(), when = 0;
  const number = n => n >= 100 ? Math.round(n).toLocaleString("en") : String(Number(n.toPrecision(2)));
  function rates() {
    const now = Number(document.getElementById("page-facts").dataset.at);
    const next = new Map();
    if (now < when) last = next; // the exporter was restarted
    for (const cell of document.querySelectorAll("[data-row]")) {
      const key = cell.dataset.row, value = Number(cell.dataset.value);
      next.set(key, value);
      if (last.has(key) && value >= last.get(key)) {
        const rate = (value - last.get(key)) / (now - when) * 1000;
        cell.textContent = rate <= 0 ? "" : cell.dataset.unit === "seconds" ? number(rate * 100) + "%" : number(rate) + "/s";
      }
    }
    last = next; when = now;
  }
  document.documentElement.classList.add("js");
  document.addEventListener("click", async event => {
    if (!event.target.matches(".copy")) return;
    const line = event.target.previousElementSibling;
    try {
      await navigator.clipboard.writeText(line.textContent); // there is none without TLS
    } catch (e) {
      getSelection().selectAllChildren(line);
      document.execCommand("copy");
      getSelection().removeAllRanges();
    }
    event.target.textContent = "copied";
  });
  async function refresh() {
    if (document.visibilityState !== "visible" || !getSelection().isCollapsed) return;
    try {
      const answer = await fetch(location.pathname, {cache: "no-store"});
      if (!answer.ok) throw new Error(answer.status);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      live.textContent = "live"; live.classList.remove("off");
      if (page.getElementById("page-facts").dataset.at === document.getElementById("page-facts").dataset.at) return; // the same reading
      const scripts = page.getElementById("page-scripts"), shown = document.getElementById("page-scripts");
      for (const fresh of page.querySelectorAll("details")) fresh.open = Boolean(document.getElementById(fresh.id)?.open);
      if (scripts.dataset.config !== shown.dataset.config) shown.replaceWith(document.adoptNode(scripts)); // other scripts, or in another order
      for (const fresh of page.querySelectorAll(".keep, .head .state, #page-facts")) {
        const old = document.getElementById(fresh.id);
        if (old) old.replaceWith(document.adoptNode(fresh));
      }
      rates();
    } catch (e) {
      live.textContent = "no answer"; live.classList.add("off");
    }
  }
  rates();
  setInterval(refresh, 2000);
})();
