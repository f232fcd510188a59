// Times are written in UTC; `z` shows them in the zone of this browser, and back.
const zone = (() => {
  const read = () => { try { return localStorage.getItem("zone"); } catch { return null; } };
  const keep = (name) => { try { localStorage.setItem("zone", name); } catch { /* private windows */ } };
  const button = document.getElementById("zone");
  let local = read() === "local";

  const two = (number) => String(Math.abs(number)).padStart(2, "0");
  const shift_ms = (at) => (local ? -at.getTimezoneOffset() * 60_000 : 0);
  const text = (at) => new Date(at.getTime() + shift_ms(at)).toISOString().replace("T", " ");
  const offset = (at) => {
    const minutes = -at.getTimezoneOffset();
    return `${minutes < 0 ? "-" : "+"}${two(Math.trunc(minutes / 60))}:${two(minutes % 60)}`;
  };
  const forms = {
    clock: (at) => text(at).slice(11, 23),
    minute: (at) => text(at).slice(5, 16),
    full: (at) => `${text(at).slice(0, 19)} ${local ? offset(at) : "UTC"}`,
  };
  const write = () => {
    for (const element of document.querySelectorAll("time[data-form]")) {
      const words = forms[element.dataset.form](new Date(element.dateTime));
      if (element.textContent !== words) element.textContent = words;
    }
    if (button) button.textContent = local ? "Local" : "UTC";
  };
  const toggle = () => {
    local = !local;
    keep(local ? "local" : "utc");
    write();
    document.dispatchEvent(new CustomEvent("zone"));
  };

  if (button) {
    button.hidden = false;
    button.title = "the zone in which times are shown";
    button.addEventListener("click", toggle);
    document.addEventListener("fragments", () => { if (local) write(); });
    write();
  }
  return {
    toggle: () => button && toggle(),
    name: () => (local ? "local" : "UTC"),
    // Seconds since the epoch, as charts have them.
    clock: (at_s) => text(new Date(at_s * 1e3)).slice(11, 19),
    minute: (at_s) => text(new Date(at_s * 1e3)).slice(5, 16),
    shifted_s: (at_s) => at_s + shift_ms(new Date(at_s * 1e3)) / 1e3,
  };
})();
