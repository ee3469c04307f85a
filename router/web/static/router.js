// Keys for the list (/ to search, j and k to move), and times that stay relative.
"use strict";
document.addEventListener("keydown", (event) => {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
  if (typing || event.metaKey || event.ctrlKey || event.altKey) return;
  if (event.key === "/") {
    const search = document.getElementById("search");
    if (search) { search.focus(); event.preventDefault(); }
  } else if (event.key === "j" || event.key === "k") {
    const links = [...document.querySelectorAll("td.when a")];
    const at = links.indexOf(document.activeElement);
    const next = links[event.key === "j" ? at + 1 : Math.max(0, at - 1)];
    if (next) next.focus();
  }
});
const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const relative = (seconds) => {
  if (Math.abs(seconds) < 2) return "just now";
  const [size, name] = units.find(([size]) => Math.abs(seconds) >= size * 2) || units[3];
  const number = `${Math.floor(Math.abs(seconds) / size)} ${name}`;
  return seconds < 0 ? `in ${number}` : `${number} ago`;
};
setInterval(() => {
  for (const time of document.querySelectorAll("time")) {
    time.textContent = relative((Date.now() - Date.parse(time.dateTime)) / 1000);
  }
}, 10000);
