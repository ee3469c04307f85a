// Times that stay relative, keys for the list, and a link that opens what it leads into.
"use strict";

// The server's clock counts: what a page says must not change because this machine's is wrong.
const root = document.documentElement;
const skew = root.dataset.now ? Date.now() - Date.parse(root.dataset.now) : 0;
const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

const relative = (seconds) => {
  const length = Math.abs(seconds);
  if (length < 2) return seconds < 0 ? "in a moment" : "just now";
  const [size, unit] = units.find(([size]) => length >= 2 * size) || units[3];
  const number = `${Math.floor(length / size)} ${unit}`;
  return seconds < 0 ? `in ${number}` : `${number} ago`;
};

setInterval(() => {
  const now = Date.now() - skew;
  for (const time of document.querySelectorAll("time")) {
    time.textContent = relative((now - Date.parse(time.dateTime)) / 1000);
  }
}, 5000);

document.addEventListener("keydown", (event) => {
  const here = document.activeElement;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(here.tagName)) {
    if (event.key === "Escape") here.blur();
    return;
  }
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key === "/") {
    const search = document.getElementById("search");
    if (search) { search.focus(); event.preventDefault(); }
  } else if (event.key === "j" || event.key === "k") {
    const links = [...document.querySelectorAll("td.when a, .delivery > summary")];
    const at = links.indexOf(here);
    const next = links[event.key === "j" ? at + 1 : Math.max(0, at - 1)];
    if (next) next.focus();
  }
});

// Not every browser opens a closed part by itself when a link leads into it.
const reveal = () => {
  const aim = document.getElementById(location.hash.slice(1));
  const closed = aim && aim.closest("details:not([open])");
  if (closed) { closed.open = true; closed.scrollIntoView(); }
};
addEventListener("hashchange", reveal);
reveal();
