addEventListener("DOMContentLoaded", () => {
  const root = document.documentElement;
  const paint = () => {
    const dark = root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.classList.toggle("dark-mode", dark === "dark");
  };
  new MutationObserver(paint).observe(root, { attributeFilter: ["data-theme"] });
  paint();
  SwaggerUIBundle({ url: "/openapi.json", dom_id: "#swagger", deepLinking: true, validatorUrl: null });
});
