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
});
