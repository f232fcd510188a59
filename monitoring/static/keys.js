// Keys: g and a letter go to a page, / goes to the search, ? lists them all.
(() => {
  const WAIT_MS = 1500;
  const list = document.getElementById("keys");
  const help = document.getElementById("help");
  const address = (key) => [...document.querySelectorAll("nav a[data-key]")].find((a) => a.dataset.key === key)?.href;
  let asked = 0;

  const search = () => {
    const field = document.querySelector("input[type=search]");
    if (field) field.focus(); else location.assign(`${address("i")}#search`);
  };
  const press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    const going = Date.now() - asked < WAIT_MS;
    asked = 0;
    if (going) {
      const found = address(event.key);
      if (found) location.assign(found);
    } else if (event.key === "g") asked = Date.now();
    else if (event.key === "?") list.showModal();
    else if (event.key === "/") { event.preventDefault(); search(); }
  };

  document.addEventListener("keydown", press);
  help.hidden = false;
  help.addEventListener("click", () => list.showModal());
  if (location.hash === "#search") search();
})();
