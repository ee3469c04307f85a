// The colours that were chosen, before anything is painted; without a choice the system's count.
"use strict";
try {
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // A browser that keeps nothing remembers no choice.
}
