// Filters the tables of claims on the page "What reproduces": by paper, verdict, kind and robustness, and by what is
// typed. Without it the page is the same tables, one after the other. A classic script: it works from file:// too.
(function () {
  "use strict";

  function rowsOf(section, paper, verdict) {
    return Array.from(section.querySelectorAll("tbody tr")).map(function (row) {
      var mark = row.querySelector("[data-verdict]");
      var told = mark ? mark.dataset : { verdict: verdict, kind: "", robust: "" };
      return {
        element: row,
        text: row.textContent.toLowerCase(),
        paper: paper,
        verdict: told.verdict,
        kind: told.kind,
        robust: told.robust,
      };
    });
  }

  function collect() {
    var found = [];
    document.querySelectorAll("section").forEach(function (section) {
      var heading = section.querySelector(":scope > h3");
      if (!heading || !section.querySelector("table")) return;
      var outer = section.parentElement.closest("section");
      var paper = outer ? outer.querySelector(":scope > h2").firstChild.textContent.trim() : "";
      var verdict = heading.firstChild.textContent.split(":")[0].trim().toLowerCase();
      found.push({ section: section, outer: outer, rows: rowsOf(section, paper, verdict) });
    });
    return found;
  }

  function select(label, values, changed) {
    var box = document.createElement("select");
    box.setAttribute("aria-label", label);
    [label].concat(values).forEach(function (value, place) {
      var option = document.createElement("option");
      option.value = place ? value : "";
      option.textContent = place ? value : "any " + label;
      box.appendChild(option);
    });
    box.addEventListener("change", changed);
    return box;
  }

  function values(groups, key) {
    var seen = new Set();
    groups.forEach(function (group) {
      group.rows.forEach(function (row) {
        if (row[key] && row[key] !== "—") seen.add(row[key]);
      });
    });
    return Array.from(seen);
  }

  // Who comes to a row by its link wants its case, and sees it below the filter, not under it.
  function reveal() {
    var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!target) return;
    var row = target.closest("tr");
    if (row && row.querySelector("details")) row.querySelector("details").open = true;
    var part = target.closest(".ledger-part") || target.querySelector(".ledger-part");
    if (part) part.open = true;
    target.scrollIntoView({ behavior: "instant" }); // a smooth one would be overtaken by what loads late
  }

  // How much of the page the filter covers once it sticks.
  function measure(place) {
    var covered = place.offsetHeight + parseFloat(getComputedStyle(place).top);
    covered -= parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) || 0; // the theme's header
    document.documentElement.style.setProperty("--ledger-covered", Math.ceil(covered + 8) + "px");
  }

  // A phone would scroll through seventy screens of cards: each part opens when its heading is pressed.
  function fold(groups) {
    groups.forEach(function (group) {
      var part = document.createElement("details"), summary = document.createElement("summary");
      part.className = "ledger-part";
      summary.appendChild(group.section.querySelector(":scope > h3"));
      part.appendChild(summary);
      while (group.section.firstChild) part.appendChild(group.section.firstChild);
      group.section.appendChild(part);
      group.part = part;
    });
  }

  function start() {
    var place = document.getElementById("ledger-filter");
    var groups = collect();
    if (!place || place.firstChild || !groups.length) return;
    if (window.matchMedia("(max-width: 600px)").matches) fold(groups);
    var search = document.createElement("input");
    var told = document.createElement("span");
    var boxes = {};
    search.type = "search";
    search.placeholder = "search the claims";
    search.setAttribute("aria-label", "search the claims");
    told.setAttribute("aria-live", "polite");

    function show() {
      var words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      var left = 0;
      var idle = !words.length && Object.keys(boxes).every(function (key) { return !boxes[key].value; });
      groups.forEach(function (group) {
        var here = 0;
        group.rows.forEach(function (row) {
          var fits = Object.keys(boxes).every(function (key) {
            return !boxes[key].value || boxes[key].value === row[key];
          }) && words.every(function (word) { return row.text.indexOf(word) >= 0; });
          row.element.hidden = !fits;
          here += fits ? 1 : 0;
        });
        group.section.hidden = !here;
        if (group.part) group.part.open = !idle;
        left += here;
      });
      // What is found stands right below what was asked.
      place.parentElement.classList.toggle("ledger-filtered", !idle);
      groups.forEach(function (group) {
        if (group.outer) group.outer.hidden = !group.outer.querySelector("tbody tr:not([hidden])");
      });
      told.textContent = idle ? "" : left + (left === 1 ? " row" : " rows");
    }

    search.addEventListener("input", show);
    place.appendChild(search);
    [["paper", "paper"], ["verdict", "verdict"], ["kind", "kind"], ["robust", "robustness"]].forEach(function (pair) {
      boxes[pair[0]] = select(pair[1], values(groups, pair[0]), show);
      place.appendChild(boxes[pair[0]]);
    });
    place.appendChild(told);
    measure(place);
    reveal();
    window.addEventListener("resize", function () { measure(place); });
    window.addEventListener("hashchange", reveal);
    window.addEventListener("load", reveal); // what loads late has moved the rows
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
