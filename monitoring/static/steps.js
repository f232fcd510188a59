// The first steps, until somebody has seen them; runs before the first paint, so that they do not flash.
(() => {
  const root = document.documentElement;
  try { if (localStorage.getItem("steps") === "seen") root.dataset.steps = "seen"; } catch { /* private windows */ }

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("steps-seen");
    button.hidden = false;
    button.addEventListener("click", () => {
      root.dataset.steps = "seen";
      try { localStorage.setItem("steps", "seen"); } catch { /* private windows */ }
    });
  });
})();
