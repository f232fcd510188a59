// Keeps the page's fragments as the server paints them. The server sends only those that changed.
const QUIET_MS = 4000;

const link = document.getElementById("link");
const pause = document.getElementById("pause");
const title = document.title.replace(/^\(\d+\) /, "");
let source = null;
let heard = Date.now();
let paused = false;
let waiting = 0;
const refresh = document.getElementById("refresh");
const every_s = () => Number(refresh.value);

// Changes what differs and nothing else, so that focus, selection and open details survive.
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  if (old.dataset.drawn !== undefined) return; // what a script draws stays its own
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  }
  // Whoever is writing into a field is not disturbed.
  if (old === document.activeElement && old.matches("input, select, textarea")) return;
  if (isList(fresh)) matched(old, fresh);
  else if (old.childNodes.length !== fresh.childNodes.length) old.replaceChildren(...fresh.childNodes);
  else for (const [before, after] of [...old.childNodes].map((child, place) => [child, fresh.childNodes[place]])) morph(before, after);
}

// Children with ids among nothing but elements.
function isList(fresh) {
  return [...fresh.children].some((child) => child.id) &&
    [...fresh.childNodes].every((child) => child.nodeType === Node.ELEMENT_NODE || !child.nodeValue.trim());
}

// Children with ids keep their elements, wherever they have moved to; what stays in its place is not touched.
function matched(old, fresh) {
  const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id + child.nodeName, child]));
  const same = (child) => known.get(child.id + child.nodeName);
  const kept = new Set([...fresh.children].map(same));
  const gone = (child) => { const next = child.nextElementSibling; child.remove(); return next; };
  let at = old.firstElementChild;
  for (const child of [...fresh.children]) {
    while (at?.id && !kept.has(at)) at = gone(at);
    const isAlike = at && !child.id && !at.id && at.nodeName === child.nodeName;
    const before = isAlike ? at : same(child);
    if (before) morph(before, child);
    if (before && before === at) at = at.nextElementSibling;
    else old.insertBefore(before ?? child, at);
  }
  while (at) at = gone(at);
}

function swap(event) {
  heard = Date.now();
  if (paused) return;
  for (const [id, html] of Object.entries(JSON.parse(event.data))) {
    const old = document.getElementById(id);
    const made = document.createElement("template");
    made.innerHTML = html;
    const fresh = made.content.firstElementChild;
    if (old && fresh) morph(old, fresh);
  }
  const { sign, level, firing } = document.getElementById("status").dataset;
  const told = Number(firing) ? `(${firing}) ${title}` : title;
  document.title = level === "well" ? told : `${sign} ${told}`;
  mark(Number(firing));
  document.dispatchEvent(new CustomEvent("fragments"));
  tell();
  if (every_s()) { disconnect(); waiting = setTimeout(connect, every_s() * 1000); }
}

// The tab's own picture says how many alerts fire.
const icon = document.querySelector("link[rel=icon]");
const quiet = icon.href;
let marked = 0;
function mark(firing) {
  if (firing === marked) return;
  marked = firing;
  const words = firing > 9 ? "9+" : firing;
  const drawn = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#b3261e"/><text x="8" y="12" font-family="sans-serif" font-size="11" font-weight="700" text-anchor="middle" fill="#fff">${words}</text></svg>`;
  icon.href = firing ? `data:image/svg+xml,${encodeURIComponent(drawn)}` : quiet;
}

function tell() {
  const silent = Date.now() - heard;
  const lost = !paused && silent > QUIET_MS + every_s() * 1000;
  document.body.classList.toggle("stale", lost);
  link.textContent = paused ? "paused" : lost ? `no word for ${Math.round(silent / 1000)} s, reconnecting` : every_s() ? `${Math.round(silent / 1000)} s old` : "live";
  link.className = paused ? "paused" : lost ? "lost" : "live";
}

function connect() {
  if (source || paused || document.hidden) return;
  source = new EventSource(document.body.dataset.live);
  source.addEventListener("fragments", swap);
  source.addEventListener("error", () => {
    if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
    disconnect();
    setTimeout(connect, 2000);
  });
}

function disconnect() {
  clearTimeout(waiting);
  source?.close();
  source = null;
}

// How often it refreshes is kept for all pages.
function choose() {
  try { localStorage.setItem("refresh", refresh.value); } catch { /* private windows */ }
  disconnect();
  connect();
  tell();
}

function recall() {
  let kept = null;
  try { kept = localStorage.getItem("refresh"); } catch { /* private windows */ }
  if ([...refresh.options].some((option) => option.value === kept)) refresh.value = kept;
  document.getElementById("refresh-pick").hidden = false;
}

function toggle() {
  paused = !paused;
  pause.textContent = paused ? "Resume" : "Pause";
  pause.setAttribute("aria-pressed", paused);
  if (paused) disconnect();
  else { heard = Date.now(); connect(); }
  tell();
}

// A browser keeps six connections to one server: hidden tabs must not hold theirs.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) disconnect();
  else { heard = Date.now(); connect(); }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "p" && !event.ctrlKey && !event.metaKey && !event.target.closest("input, textarea, select")) toggle();
});
recall();
refresh.addEventListener("change", choose);
pause.hidden = false;
pause.addEventListener("click", toggle);
setInterval(tell, 1000);
connect();
