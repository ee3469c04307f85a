// Times in the viewer's zone, keys, copying, the choice of colours, and live parts that stand still.
// Every page works without it.
"use strict";

const root = document.documentElement;
const typing = (element) => /^(INPUT|SELECT|TEXTAREA)$/.test(element.tagName) && !/^(checkbox|radio|submit|button)$/.test(element.type);

// --- times ---

// The server's clock counts: what a page says must not change because this machine's is wrong.
const skew = root.dataset.now ? Date.now() - Date.parse(root.dataset.now) : 0;
const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const zoned = new Intl.DateTimeFormat("sv-SE", { dateStyle: "short", timeStyle: "medium" });
const zone = new Intl.DateTimeFormat("en-GB", { timeZoneName: "short" });

const relative = (seconds) => {
  const length = Math.abs(seconds);
  if (length < 2) return seconds < 0 ? "in a moment" : "just now";
  const [size, unit] = units.find(([size]) => length >= 2 * size) || units[3];
  const number = `${Math.floor(length / size)} ${unit}`;
  return seconds < 0 ? `in ${number}` : `${number} ago`;
};

const exact = (moment) => {
  const name = zone.formatToParts(moment).find((part) => part.type === "timeZoneName");
  return `${zoned.format(moment)} ${name ? name.value : ""}`.trim();
};

const tell = (within) => {
  const now = Date.now() - skew;
  for (const time of within.querySelectorAll("time")) {
    const moment = Date.parse(time.dateTime);
    if (Number.isNaN(moment)) continue;
    if (!time.dataset.zoned) { time.title = exact(moment); time.dataset.zoned = "1"; }
    const words = "exact" in time.dataset ? exact(moment) : relative((now - moment) / 1000);
    if (time.textContent !== words) time.textContent = words;
  }
};
tell(document);
setInterval(() => { if (!document.hidden) tell(document); }, 5000);

// --- keys ---

const help = document.getElementById("help");
const askHelp = () => { if (!help.open) help.showModal(); };
const ask = document.getElementById("ask");
ask.hidden = false;
ask.addEventListener("click", askHelp);

// What j and k walk along: whatever is marked with `data-step` and can be seen.
const steps = () => [...document.querySelectorAll("[data-step]")].filter((one) => one.checkVisibility());
const walk = (by) => {
  const all = steps();
  const row = document.activeElement.closest("tr, li, details");
  const at = all.findIndex((one) => one === document.activeElement || (row && row.contains(one)));
  const next = all[at < 0 ? 0 : Math.min(all.length - 1, Math.max(0, at + by))];
  if (next) { next.focus(); next.scrollIntoView({ block: "nearest" }); }
};

const keys = {
  "/": () => { const search = document.getElementById("search"); if (search) { search.focus(); search.select(); } },
  "?": askHelp,
  j: () => walk(1),
  k: () => walk(-1),
  o: () => { if (document.activeElement.matches("[data-step]")) document.activeElement.click(); },
  x: () => {
    const row = document.activeElement.closest("tr");
    const box = row && row.querySelector("input[type=checkbox]");
    if (box) box.click();
  },
};

let going = 0;
document.addEventListener("keydown", (event) => {
  const here = document.activeElement;
  if (typing(here)) {
    if (event.key === "Escape") here.blur();
    return;
  }
  if (event.metaKey || event.ctrlKey || event.altKey || help.open) return;
  if (Date.now() - going < 1500) {
    going = 0;
    const link = [...document.querySelectorAll("[data-go]")].find((one) => one.dataset.go === event.key);
    if (link) { event.preventDefault(); link.click(); return; }
  }
  if (event.key === "g") { going = Date.now(); return; }
  if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
});

// --- the choice of colours ---

const theme = document.getElementById("theme");
const themes = { "": "Colours: system", light: "Colours: light", dark: "Colours: dark" };
const showTheme = () => { theme.textContent = themes[root.dataset.theme || ""]; };
theme.hidden = false;
showTheme();
theme.addEventListener("click", () => {
  const names = Object.keys(themes);
  const next = names[(names.indexOf(root.dataset.theme || "") + 1) % names.length];
  if (next) root.dataset.theme = next; else delete root.dataset.theme;
  try {
    if (next) localStorage.setItem("theme", next); else localStorage.removeItem("theme");
  } catch {
    // A browser that keeps nothing remembers no choice.
  }
  showTheme();
});

// --- small helps ---

// A button with `data-copy="#id"` copies the words of that element.
const offerCopies = (within) => {
  for (const button of within.querySelectorAll("[data-copy][hidden]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const from = document.querySelector(button.dataset.copy);
      const was = button.textContent;
      try {
        await navigator.clipboard.writeText(from.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(from);
        button.textContent = "Selected: press Ctrl+C";
      }
      setTimeout(() => { button.textContent = was; }, 2000);
    });
  }
};
offerCopies(document);
document.body.addEventListener("htmx:afterSwap", (event) => offerCopies(event.target));

// A checkbox with `data-all` ticks all others of its form, and the form counts what is ticked.
const offerAll = (all) => {
  const form = all.form;
  const boxes = () => [...form.querySelectorAll("input[type=checkbox][name=id]")];
  const show = () => {
    const ticked = boxes().filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes().length;
    all.indeterminate = ticked > 0 && !all.checked;
    const count = form.querySelector("[data-count]");
    if (count) count.textContent = ticked ? `${ticked} selected` : "";
  };
  all.hidden = false;
  all.addEventListener("change", () => { for (const box of boxes()) box.checked = all.checked; show(); });
  form.addEventListener("change", show);
  show();
};
const offerAlls = (within) => {
  for (const all of within.querySelectorAll("input[data-all][hidden]")) offerAll(all);
};
offerAlls(document);
document.body.addEventListener("htmx:afterSwap", (event) => offerAlls(event.target));

// A form is sent once, however often its button is pressed.
addEventListener("submit", (event) => {
  if (event.target.method !== "post") return;
  if (event.target.dataset.sent) { event.preventDefault(); return; }
  event.target.dataset.sent = "1";
});
addEventListener("pageshow", () => { for (const form of document.forms) delete form.dataset.sent; });

// Not every browser opens a closed part by itself when a link leads into it.
const reveal = () => {
  const aim = document.getElementById(location.hash.slice(1));
  const closed = aim && aim.closest("details:not([open])");
  if (closed) { closed.open = true; closed.scrollIntoView(); }
};
addEventListener("hashchange", reveal);
reveal();
