/** Leads from a faulty line of the listing to the same line of the text. */

const text = document.querySelector("textarea[name=text]");

function goTo(number) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, number - 1).reduce((sum, line) => sum + line.length + 1, 0);
  text.focus();
  text.setSelectionRange(start, start + lines[number - 1].length);
  text.scrollTop = Math.max(0, (number - 4) * (text.scrollHeight / lines.length));
}

if (text) {
  for (const line of document.querySelectorAll("[data-line]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "line-edit";
    button.textContent = "Mend it";
    button.setAttribute("aria-label", `Mend it: line ${line.dataset.line}`);
    button.addEventListener("click", () => goTo(Number(line.dataset.line)));
    line.append(button);
  }
}
