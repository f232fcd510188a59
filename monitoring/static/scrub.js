// Slides through the last minutes: the book of each second comes from the server, in the same place of the page.
(() => {
  const LENGTHS = { "15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400, "7d": 604_800 };
  const slide = () => document.querySelector("#past .scrub");
  const field = () => document.querySelector("#past input[name=at]");
  const stamp = (at_s) => new Date(at_s * 1e3).toISOString().slice(0, 19).replace("T", " ");
  const asked_s = () => {
    const found = Date.parse(`${field().value.trim().replace(" ", "T").replace(/(:\d\d)$/, "$1")}Z`);
    return Number.isNaN(found) ? null : Math.floor(found / 1e3);
  };
  let flying = null;

  const show = async (at_s) => {
    flying?.abort();
    flying = new AbortController();
    const to = new URL(location.href);
    to.searchParams.set("at", stamp(at_s));
    field().value = stamp(at_s);
    try {
      const page = new DOMParser().parseFromString(await (await fetch(to, { signal: flying.signal })).text(), "text/html");
      const [kept, fresh] = [slide(), page.getElementById("past")];
      if (!fresh) return;
      fresh.querySelector(".scrub").replaceWith(kept);
      document.getElementById("past").replaceWith(fresh);
      history.replaceState(null, "", to);
    } catch (error) { if (error.name !== "AbortError") throw error; }
  };
  const set = (range) => {
    const now_s = Math.floor(Date.now() / 1e3);
    range.min = now_s - LENGTHS[slide().dataset.range];
    range.max = now_s;
  };

  if (!slide()) return;
  const range = slide().querySelector("input");
  set(range);
  range.value = asked_s() ?? range.max;
  slide().hidden = false;
  range.addEventListener("input", () => { field().value = stamp(Number(range.value)); });
  range.addEventListener("change", () => show(Number(range.value)));
  slide().addEventListener("click", ({ target }) => {
    if (!target.dataset.step) return;
    set(range);
    range.value = (asked_s() ?? Number(range.value)) + Number(target.dataset.step);
    show(Number(range.value));
  });
})();
