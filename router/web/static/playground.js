// The playground: mails are drawn in their frames, a problem leads to its place in the text.
"use strict";

const shown = new WeakSet();
const showMails = () => {
  for (const form of document.querySelectorAll("form[data-mail]")) {
    if (shown.has(form)) continue;
    shown.add(form);
    form.submit();
  }
};
for (const button of document.querySelectorAll("[data-scriptless]")) button.hidden = true;
showMails();
new MutationObserver(showMails).observe(document.getElementById("tried"), { childList: true, subtree: true });

// A problem that is clicked, or entered, is marked in the file if that is the one in the field.
const markPlace = (problem) => {
  const text = document.getElementById("text");
  if (!text || problem.dataset.file !== document.getElementById("file").value) return;
  const lines = text.value.split("\n");
  const line = Number(problem.dataset.line) - 1;
  const before = lines.slice(0, line).reduce((sum, one) => sum + one.length + 1, 0);
  const begin = before + Number(problem.dataset.column) - 1;
  document.getElementById("rules").open = true;
  text.focus();
  text.setSelectionRange(begin, begin + Number(problem.dataset.length));
  text.scrollTop = Math.max(0, line - 5) * (text.scrollHeight / lines.length);
};
const problemOf = (event) => event.target.closest(".problem[data-line]");
document.addEventListener("click", (event) => { if (problemOf(event)) markPlace(problemOf(event)); });
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && problemOf(event)) { event.preventDefault(); markPlace(problemOf(event)); }
});
// Another file is opened as soon as it is chosen.
document.addEventListener("change", (event) => {
  if (event.target.id === "wanted") document.querySelector('#editor button[value="open"]').click();
});
