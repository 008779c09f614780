// What JavaScript adds: a button that was pressed once cannot be pressed again, the first error is focused,
// and a page that refreshes itself says when it last could. Everything works without it.
"use strict";

document.addEventListener("submit", function (event) {
  var form = event.target;
  if (!form.hasAttribute("data-once")) return;
  if (form.getAttribute("data-sent")) { event.preventDefault(); return; }
  form.setAttribute("data-sent", "1");
  form.querySelectorAll("button").forEach(function (button) { button.setAttribute("aria-disabled", "true"); });
});

// The back button may show a page from memory whose form was sent: it can be sent again, and the server does nothing twice.
window.addEventListener("pageshow", function (event) {
  if (!event.persisted) return;
  document.querySelectorAll("form[data-sent]").forEach(function (form) {
    form.removeAttribute("data-sent");
    form.querySelectorAll("button").forEach(function (button) { button.removeAttribute("aria-disabled"); });
  });
});

document.addEventListener("DOMContentLoaded", function () {
  var focused = document.querySelector("[data-focus]");
  if (focused) focused.focus();
  // Two quick taps on a page's button shall not press the one that stands there on the next page.
  document.querySelectorAll("[data-deliberate] button").forEach(function (button) {
    button.disabled = true;
    setTimeout(function () { button.disabled = false; }, 700);
  });
});

// What was written last time, one tap each.
document.addEventListener("DOMContentLoaded", function () {
  document.querySelectorAll(".picks, [data-scripted]").forEach(function (one) { one.hidden = false; });
});
document.addEventListener("click", function (event) {
  var button = event.target.closest("[data-fill]");
  if (!button) return;
  var field = document.getElementById(button.getAttribute("data-fill"));
  field.value = button.getAttribute("data-value");
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

// A text that is to be pasted elsewhere; the old way, since the new one needs https.
document.addEventListener("click", function (event) {
  var button = event.target.closest("[data-copy]");
  if (!button) return;
  var field = document.getElementById(button.getAttribute("data-copy"));
  field.focus();
  field.setSelectionRange(0, field.value.length);
  if (document.execCommand("copy")) button.textContent = button.getAttribute("data-done");
});

// A variable goes into the text where one writes.
document.addEventListener("click", function (event) {
  var button = event.target.closest("[data-insert]");
  if (!button) return;
  var field = document.getElementById(button.getAttribute("data-insert"));
  field.setRangeText(button.getAttribute("data-value"), field.selectionStart, field.selectionEnd, "end");
  field.focus();
  field.dispatchEvent(new Event("input", { bubbles: true }));
});

// A page that refreshes itself: it can be stopped, waits longer after each failure, and says when its numbers stopped.
(function () {
  var failures = 0, nextTry = 0, stopped = false, spoken = 0;
  function live() { return document.getElementById("live"); }
  document.addEventListener("htmx:beforeRequest", function (event) {
    if (event.target !== live()) return;
    if (stopped || document.hidden || Date.now() < nextTry) event.preventDefault();
  });
  function fail() {
    failures += 1;
    nextTry = Date.now() + Math.min(60000, 2000 * Math.pow(2, failures));
    var note = document.querySelector("[data-stopped]");
    if (note && live()) { note.hidden = false; note.textContent = note.getAttribute("data-text").replace("–", live().getAttribute("data-at")); }
  }
  document.addEventListener("htmx:sendError", fail);
  document.addEventListener("htmx:responseError", fail);
  document.addEventListener("htmx:afterRequest", function (event) {
    if (!event.detail.successful) return;
    failures = 0; nextTry = 0;
    var note = document.querySelector("[data-stopped]");
    if (note) note.hidden = true;
  });
  document.addEventListener("htmx:afterSwap", function () {
    var speaks = document.querySelector("[data-speaks]"), sentence = document.querySelector("[data-sentence]");
    if (speaks && sentence && Date.now() - spoken > 15000) { spoken = Date.now(); speaks.textContent = sentence.textContent; }
  });
  document.addEventListener("DOMContentLoaded", function () {
    var note = document.querySelector("[data-stopped]"), button = document.querySelector("[data-toggle-refresh]");
    if (note) note.setAttribute("data-text", note.textContent);
    if (!button || !live() || !live().hasAttribute("hx-get")) return;
    button.hidden = false;
    button.addEventListener("click", function () {
      stopped = !stopped;
      button.textContent = button.getAttribute(stopped ? "data-off" : "data-on");
    });
  });
})();
