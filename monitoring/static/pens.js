// Colours of the page's theme for what is drawn on a canvas; lines differ by dash too, as colour never speaks alone.
const pens = (() => {
  const colour = (name) => {
    const probe = document.createElement("i");
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    pen.fillStyle = found;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b] = pen.getImageData(0, 0, 1, 1).data;
    return `rgb(${r}, ${g}, ${b})`;
  };
  const LINES = ["line-1", "line-2", "line-3", "line-4", "line-5", "line-6", "line-7", "line-8"];
  const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3], [], [6, 3], [2, 3], [8, 3, 2, 3]];
  return {
    colour,
    faint: (text) => text.replace("rgb", "rgba").replace(")", ", 0.35)"),
    axis: () => {
      const [muted, line] = ["muted", "line"].map(colour);
      return { stroke: muted, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    },
    line: (at) => ({ stroke: colour(LINES[at % LINES.length]), dash: DASHES[at % DASHES.length], width: 1.5 }),
  };
})();
