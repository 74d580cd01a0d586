// Runs before the first paint, so that a chosen theme never flashes the other one. Not a module on purpose.
(() => {
  try {
    const chosen = JSON.parse(localStorage.getItem("evomusic.theme"));
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be forbidden or spoilt: the system's preference serves then.
  }
})();
