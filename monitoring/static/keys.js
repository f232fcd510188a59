// Keys: g and a letter go to a page, the others do what the list says that ? shows.
(() => {
  const WAIT_MS = 1500;
  const list = document.getElementById("keys");
  const help = document.getElementById("help");
  const address = (key) => [...document.querySelectorAll("nav a[data-key]")].find((a) => a.dataset.key === key)?.href;
  let asked = 0;

  const search = () => {
    const field = document.querySelector("main input[type=search]");
    if (field) field.focus(); else location.assign(`${address("i")}#search`);
  };
  const kiosk = () => {
    const to = new URL(location.href);
    if (to.searchParams.get("kiosk") === "1") to.searchParams.delete("kiosk"); else to.searchParams.set("kiosk", "1");
    location.assign(to);
  };
  const acts = {
    "?": () => list.showModal(),
    "/": search,
    k: kiosk,
    r: () => document.getElementById("refresh")?.focus(),
    t: () => document.getElementById("range")?.focus(),
    z: () => zone.toggle(),
  };
  const press = (event) => {
    if (event.key === "Escape") event.target.blur?.();
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
    const going = Date.now() - asked < WAIT_MS;
    asked = 0;
    if (going) {
      const found = address(event.key);
      if (found) location.assign(found);
    } else if (event.key === "g") asked = Date.now();
    else if (Object.hasOwn(acts, event.key)) { event.preventDefault(); acts[event.key](); }
  };

  document.addEventListener("keydown", press);
  help.hidden = false;
  help.addEventListener("click", () => list.showModal());
  document.getElementById("seek").addEventListener("click", (event) => { event.preventDefault(); search(); });
  document.getElementById("range")?.addEventListener("change", (event) => event.target.form.submit());
  if (location.hash === "#search") search();
})();
