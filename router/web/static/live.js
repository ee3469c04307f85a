// Live parts: `hx-swap="still"` puts in what is new and leaves alone what is as it was, so that
// nothing flickers, loses its focus or moves away under the reader's eyes.
"use strict";

// An element as the server wrote it: without what router.js made of its times.
const bare = (element) => {
  const copy = element.cloneNode(true);
  for (const time of copy.querySelectorAll("time")) {
    time.replaceChildren();
    time.removeAttribute("title");
    time.removeAttribute("data-zoned");
  }
  for (const part of copy.querySelectorAll("[open]")) part.removeAttribute("open");
  // The script shows it, and says how much is ticked.
  for (const all of copy.querySelectorAll("[data-all]")) all.removeAttribute("hidden");
  return copy.outerHTML;
};

// Replaces an element, and gives the focus back to what had it.
const replace = (old, made) => {
  const held = old.contains(document.activeElement) ? document.activeElement : null;
  const href = held && held.getAttribute("href");
  tell(made);
  old.replaceWith(made);
  if (href) {
    const again = [...made.querySelectorAll("a")].find((one) => one.getAttribute("href") === href);
    if (again) again.focus({ preventScroll: true });
  }
};

// Children are known by `data-key`; what is no longer there goes, what is new comes in its place.
// What is `data-kept` is somebody's to fill in: it stays as it is.
const still = (old, made) => {
  const known = new Map([...old.children].map((child) => [child.dataset.key, child]));
  let after = null;
  for (const child of [...made.children]) {
    const was = known.get(child.dataset.key);
    known.delete(child.dataset.key);
    if (was && ("kept" in was.dataset || bare(was) === bare(child))) {
      after = was;
    } else if (was && "keyed" in was.dataset) {
      still(was, child);
      after = was;
    } else if (was) {
      replace(was, child);
      after = child;
    } else {
      tell(child);
      if (after) after.after(child); else old.prepend(child);
      after = child;
    }
  }
  for (const gone of known.values()) gone.remove();
};

// What the reader looks at: what has the focus, or else the first row in sight once they scrolled.
const anchor = (within) => {
  const here = document.activeElement;
  if (within.contains(here)) return here;
  if (scrollY < 8) return null;
  return [...within.querySelectorAll("[data-key]")].find((one) => one.getBoundingClientRect().top >= 0) || null;
};

htmx.defineExtension("still", {
  isInlineSwap: (style) => style === "still",
  handleSwap: (style, target, fragment) => {
    if (style !== "still") return false;
    const made = fragment.querySelector(`#${target.id}`);
    if (!made) return true;
    const held = anchor(target);
    const before = held && held.getBoundingClientRect().top;
    target.setAttribute("hx-headers", made.getAttribute("hx-headers") || "{}");
    still(target, made);
    if (held && held.isConnected) scrollBy(0, held.getBoundingClientRect().top - before);
    return true;
  },
});

// Words that somebody marks to copy, and rows that somebody ticks, must not go from under their hand.
const inHand = (part) => {
  const marked = getSelection();
  return part.querySelector("input:checked") !== null
    || (!marked.isCollapsed && marked.rangeCount > 0 && marked.getRangeAt(0).intersectsNode(part));
};

// A tab that nobody sees asks nothing; once it is seen again it asks at once.
document.body.addEventListener("htmx:beforeRequest", (event) => {
  if (!event.target.hasAttribute("data-live")) return;
  if (document.hidden || inHand(event.target)) event.preventDefault();
});
// Nor what came as an answer to a question from before.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  if (event.target.hasAttribute("data-live") && inHand(event.target)) event.detail.shouldSwap = false;
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  for (const part of document.querySelectorAll("[data-live]")) htmx.trigger(part, "look");
});
// Once it is answered again, what was wrong is over.
document.body.addEventListener("htmx:afterRequest", (event) => {
  const ended = event.detail.xhr && event.detail.xhr.status < 400;
  if (ended && event.target.hasAttribute("data-live")) document.getElementById("refused").replaceChildren();
});
