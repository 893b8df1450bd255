// What a page's theme leaves out: names and focus for what one reaches by keyboard, tables that fit a phone, figures
// that are legible there and open at full size.
(function () {
  "use strict";

  function names() {
    document.querySelectorAll("summary").forEach(function (summary) {
      if (!summary.textContent.trim() && !summary.getAttribute("aria-label")) {
        var link = summary.closest("li");
        link = link && link.querySelector("a");
        summary.setAttribute("aria-label", "Pages of " + (link ? link.textContent.trim() : "this part"));
      }
    });
    // What shows words of its own has its name; a label beside them would be another one.
    document.querySelectorAll(".search-button-field, details.hide > summary").forEach(function (named) {
      if (named.textContent.trim()) { named.removeAttribute("aria-label"); }
    });
  }

  // On paper a link's address is printed behind it, unless it is what the link shows.
  function bare() {
    document.querySelectorAll('.bd-article a.external[href^="http"]').forEach(function (link) {
      if (link.href.indexOf(link.textContent.trim().replace(/^doi:/, "")) >= 0) { link.classList.add("bare"); }
    });
  }

  // A list may hold nothing but its entries; here it holds links to them as well.
  function lists() {
    document.querySelectorAll(".citation-list[role=list]").forEach(function (list) { list.removeAttribute("role"); });
    document.querySelectorAll(".citation[role]").forEach(function (entry) { entry.removeAttribute("role"); });
  }

  // On a phone a row becomes a card, and each cell says which column it is of.
  function columns() {
    document.querySelectorAll(".bd-article table.table").forEach(function (table) {
      var heads = [].map.call(table.querySelectorAll("thead th"), function (head) { return head.textContent.trim(); });
      if (heads.length < 3 || table.closest(".small-table")) { return; }
      table.classList.add("stacks");
      table.querySelectorAll("tbody tr").forEach(function (row) {
        [].forEach.call(row.children, function (cell, n) {
          if (heads[n]) { cell.setAttribute("data-label", heads[n]); }
        });
      });
    });
  }

  // What scrolls must be reached by keyboard.
  function focus() {
    var boxes = ".bd-article pre, .pst-scrollable-table-container, .bd-article table, .bd-article .math, .bd-sidebar," +
      " mjx-container, .tag_long-table table, .figure-frame";
    document.querySelectorAll(boxes).forEach(function (box) {
      var wide = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
      var scrolls = wide && /auto|scroll/.test(getComputedStyle(box).overflow);
      if (scrolls && box.tabIndex < 0) { box.setAttribute("tabindex", "0"); box.dataset.focus = ""; }
      if (!scrolls && box.dataset.focus === "") { box.removeAttribute("tabindex"); delete box.dataset.focus; }
      if (box.dataset.name) { name(box, scrolls); }
    });
  }

  // What scrolls and is no text says what it is.
  function name(frame, scrolls) {
    if (scrolls) {
      frame.setAttribute("role", "region");
      frame.setAttribute("aria-label", frame.dataset.name);
    } else {
      frame.removeAttribute("role");
      frame.removeAttribute("aria-label");
    }
    edge(frame);
  }

  // A figure fades at the side where it goes on.
  function edge(frame) {
    var left = frame.scrollLeft > 2, right = frame.scrollLeft + frame.clientWidth < frame.scrollWidth - 2;
    frame.classList.toggle("goes-on-left", left);
    frame.classList.toggle("goes-on-right", right);
  }

  // Where a phone says a figure's message as text, the drawing's own is cut off above; its height is told by a class.
  function cut(image) {
    var cell = image.closest(".cell"), title = cell && cell.previousElementSibling;
    if (title && title.matches("span.target, span[id]:empty")) { title = title.previousElementSibling; }
    var found = title && /(?:^| )phone-title(?: .*)? cut-(\d+)/.exec(title.className);
    if (found) { image.style.setProperty("--cut", found[1] + "px"); }
  }

  // On a phone a figure keeps the size that its letters are made for, and moves sideways in a frame.
  function framed(image, button) {
    var frame = document.createElement("div"), number = image.closest("figure");
    number = number && number.querySelector(".caption-number");
    frame.className = "figure-frame";
    frame.dataset.name = (number ? number.textContent.trim() : image.alt) + ", scrolls sideways";
    frame.addEventListener("scroll", function () { edge(frame); }, { passive: true });
    frame.appendChild(button);
    cut(image);
    // A picture has two pixels where a drawing or a film has one.
    function own() {
      var pixels = /\.png$/.test(image.src) ? 2 : 1;
      image.style.setProperty("--own", image.naturalWidth / pixels + "px");
      // What leads down from the middle is seen from there.
      if (image.closest("#fig-house")) {
        window.requestAnimationFrame(function () { frame.scrollLeft = (frame.scrollWidth - frame.clientWidth) / 2; });
      }
      focus();
    }
    if (image.complete && image.naturalWidth) { own(); } else { image.addEventListener("load", own); }
    return frame;
  }

  // An equation wider than its column gets smaller letters, down to three fifths.
  function fit() {
    document.querySelectorAll('.bd-article mjx-container[display="true"]').forEach(function (formula) {
      // MathJax has set a size that fits its letters to the text's.
      if (!formula.dataset.size) { formula.dataset.size = parseFloat(formula.style.fontSize) || 100; }
      var whole = Number(formula.dataset.size);
      formula.style.fontSize = whole + "%";
      var drawing = formula.querySelector("mjx-math"), room = formula.clientWidth;
      var wide = drawing ? drawing.getBoundingClientRect().width : 0;
      if (wide > room && room > 0) { formula.style.fontSize = whole * Math.max(0.6, room / wide - 0.01) + "%"; }
    });
  }

  // A click, or Enter, shows a figure as large as the window.
  function enlarge() {
    if (!window.HTMLDialogElement) { return; }
    var dialog = document.createElement("dialog"), shown = document.createElement("img");
    dialog.className = "enlarged";
    dialog.setAttribute("aria-label", "Figure at full size; Escape closes it");
    dialog.appendChild(shown);
    dialog.addEventListener("click", function () { dialog.close(); });
    document.addEventListener("keydown", function (event) {
      if (event.key === "Escape" && dialog.open) { dialog.close(); }
    }, true);
    document.querySelectorAll(".bd-article figure img, .bd-article .cell_output img").forEach(function (image) {
      if (image.closest("a") || image.closest(".sd-card")) { return; }
      var button = document.createElement("button");
      button.type = "button";
      button.className = "enlarge";
      button.setAttribute("aria-label", "Enlarge: " + image.alt);
      var frame = framed(image, button);
      image.parentNode.insertBefore(frame, image);
      button.appendChild(image);
      button.addEventListener("click", function () {
        shown.src = image.src;
        shown.alt = image.alt;
        if (!dialog.isConnected) { document.body.appendChild(dialog); }
        dialog.showModal();
      });
    });
  }

  // Words narrow the gallery; a chapter's button shows its figures alone.
  function gallery() {
    var place = document.getElementById("gallery-filter");
    if (!place) { return; }
    var parts = [].slice.call(document.querySelectorAll(".gallery-part")), chosen = "";
    parts.forEach(function (part) {
      var title = part.closest("section").querySelector("h2").firstChild.textContent;
      part.dataset.part = title.split(/[:(]/)[0].trim();
    });
    var words = document.createElement("input"), told = document.createElement("span");
    words.type = "search";
    words.placeholder = "words in a caption";
    words.setAttribute("aria-label", "words in a caption");
    told.setAttribute("role", "status");
    function show() {
      var wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean), count = 0;
      parts.forEach(function (part) {
        var own = 0;
        part.querySelectorAll(".sd-col").forEach(function (card) {
          var text = (card.textContent + " " + (card.querySelector("img") || {}).alt).toLowerCase();
          var hit = wanted.every(function (word) { return text.indexOf(word) >= 0; });
          hit = hit && (!chosen || part.dataset.part === chosen);
          card.hidden = !hit;
          own += hit;
        });
        part.closest("section").hidden = !own;
        count += own;
      });
      told.textContent = wanted.length || chosen ? count + (count === 1 ? " figure" : " figures") : "";
    }
    place.appendChild(words);
    [""].concat(parts.map(function (part) { return part.dataset.part; })).forEach(function (name) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = name || "all";
      button.setAttribute("aria-pressed", String(name === chosen));
      button.addEventListener("click", function () {
        chosen = name;
        place.querySelectorAll("button").forEach(function (other) {
          other.setAttribute("aria-pressed", String(other === button));
        });
        show();
      });
      place.appendChild(button);
    });
    place.appendChild(told);
    words.addEventListener("input", show);
  }

  // A picture of the gallery is loaded when it is nearly in sight, sooner than a browser's own lazy loading does.
  function pictures() {
    var waiting = document.querySelectorAll("img[data-src]");
    function load(image) { image.src = image.dataset.src; image.removeAttribute("data-src"); }
    if (!window.IntersectionObserver) { waiting.forEach(load); return; }
    var seen = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (entry.isIntersecting) { seen.unobserve(entry.target); load(entry.target); }
      });
    }, { rootMargin: "150px" });
    waiting.forEach(function (image) { seen.observe(image); });
    window.addEventListener("beforeprint", function () {
      document.querySelectorAll("img[data-src]").forEach(load);
    });
  }

  function start() {
    pictures();
    names();
    lists();
    bare();
    columns();
    enlarge();
    gallery();
    focus();
    function again() { names(); fit(); focus(); }
    window.addEventListener("resize", again);
    // On paper code wraps; back on the screen it scrolls again.
    window.matchMedia("print").addEventListener("change", again);
    window.addEventListener("load", function () {
      again();
      if (window.MathJax && window.MathJax.startup) { window.MathJax.startup.promise.then(again); }
    });
  }

  if (document.readyState === "loading") { document.addEventListener("DOMContentLoaded", start); } else { start(); }
})();
