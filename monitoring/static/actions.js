// Lets a list come from a file: its text goes into the field, where it can still be looked at.
(() => {
  const field = document.querySelector("textarea[name=list]");
  if (!field) return;
  const pick = document.createElement("input");
  pick.type = "file";
  pick.accept = ".csv,.txt,text/csv,text/plain";
  pick.setAttribute("aria-label", "Take the list from a file");
  pick.addEventListener("change", async () => {
    if (pick.files.length) field.value = await pick.files[0].text();
  });
  field.after(pick);
})();
