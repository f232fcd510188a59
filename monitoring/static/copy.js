// A button beside each command that puts it on the clipboard, where the browser has one for pages like this.
(() => {
  if (!navigator.clipboard) return;
  const put = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch { button.textContent = "not allowed"; }
    setTimeout(() => { button.textContent = "copy"; }, 1500);
  };
  const dress = () => {
    for (const line of document.querySelectorAll("[data-copy]:empty")) {
      const button = Object.assign(document.createElement("button"), { type: "button", className: "copy", textContent: "copy" });
      button.addEventListener("click", () => put(button, line.dataset.copy));
      line.append(button);
    }
  };
  dress();
  document.addEventListener("fragments", dress);
})();
