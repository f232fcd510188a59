// Draws what the dashboard remembers: each [data-trend] is a chart of one kind of figure, asked for again every step.
(() => {
  const HEIGHT = 170;
  const charts = [...document.querySelectorAll("[data-trend]")].map((at) => ({ at, plot: null, told: null, asked: 0 }));
  const rounded = (value) => (Math.abs(value) >= 100 ? Math.round(value).toLocaleString("en").replaceAll(",", "\u202f") : String(Number(value.toPrecision(3))));
  const units = {
    lag_s: (value) => `${rounded(value)} s`,
    lag: rounded,
    in: (value) => `${rounded(value)}/s`,
    stream: (value) => `${rounded(value)}/s`,
    rows: (value) => `${rounded(value)}/s`,
    memory: (value) => `${rounded(value)} MiB`,
  };
  const said = (chart, words) => {
    chart.plot?.destroy();
    chart.plot = null;
    const line = document.createElement("p");
    line.className = "none";
    line.textContent = words;
    chart.at.replaceChildren(line);
  };
  // Each line stands on those before it; what it says of itself stays its own value.
  const stacked = (lines) => {
    const floor = lines[0].values.map(() => 0);
    return lines.map(({ values }) => values.map((value, at) => (value === null ? null : (floor[at] += value))));
  };
  const columns = ({ at, told }) => {
    const rows = "stack" in at.dataset ? stacked(told.lines) : told.lines.map((line) => line.values);
    return [told.times, ...rows];
  };
  // Where an alert begins is drawn when it comes into sight: far above the lines it would flatten them.
  const nearing = ({ limit }, high) => (limit && (high ?? 0) > limit / 3 ? limit : 0);
  const threshold = (plot, limit) => {
    if (!limit || limit > plot.scales.y.max) return;
    const { ctx, bbox } = plot;
    const y = Math.round(plot.valToPos(limit, "y", true)) + 0.5;
    ctx.save();
    ctx.strokeStyle = pens.colour("down");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.restore();
  };
  const width = (chart) => Math.max(180, chart.at.clientWidth);
  const draw = (chart) => {
    const { at, told } = chart;
    const unit = units[told.kind];
    const isStack = "stack" in at.dataset;
    const clock = told.range === "15m" ? zone.clock : told.range === "1h" ? (s) => zone.clock(s).slice(0, 5) : zone.minute;
    const of = (line, number) => ({
      ...pens.line(number),
      label: line.name,
      points: { show: false },
      value: (_, __, ___, place) => (place === null ? "" : chart.told.lines[number].values[place] === null ? "n/a" : unit(chart.told.lines[number].values[place])),
      ...(isStack ? { fill: pens.faint(pens.line(number).stroke), dash: [] } : {}),
    });
    chart.plot?.destroy();
    at.replaceChildren();
    chart.plot = new uPlot({
      width: width(chart), height: HEIGHT,
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 0, nearing(chart.told, high), 1e-3) * 1.08] } },
      hooks: { draw: [(plot) => threshold(plot, chart.told.limit)] },
      axes: [
        { ...pens.axis(), space: told.range === "15m" ? 70 : 90, values: (_, ticks) => ticks.map(clock) },
        { ...pens.axis(), size: 72, values: (_, ticks) => ticks.map(unit) },
      ],
      series: [{ label: zone.name(), value: (_, s) => (s === null ? "" : zone.minute(s) + zone.clock(s).slice(5)) }, ...told.lines.map(of)],
      bands: isStack ? told.lines.slice(1).map((_, number) => ({ series: [number + 2, number + 1] })) : [],
    }, columns(chart), at);
    const words = [told.limit && `an alert begins above ${unit(told.limit)}`, told.hidden && `${told.hidden} more are lower and not drawn`];
    const foot = words.filter(Boolean).join("; ");
    if (foot) at.append(Object.assign(document.createElement("p"), { className: "foot", textContent: foot }));
  };
  const ask = async (chart) => {
    const { trend, range, only } = chart.at.dataset;
    chart.asked = Date.now();
    const before = chart.told?.lines.map((line) => line.name).join();
    try {
      const answer = await fetch(`/api/v1/trends?${new URLSearchParams({ of: trend, range, only })}`);
      if (!answer.ok) return;
      chart.told = await answer.json();
      if (trend === "memory") {
        chart.told.limit &&= chart.told.limit / 2 ** 20;
        for (const line of chart.told.lines) line.values = line.values.map((bytes) => bytes && bytes / 2 ** 20);
      }
    } catch { return; } // what is drawn stays, and the bar on top says that nothing is heard
    if (!chart.told.lines.length) said(chart, "Nothing is remembered yet: a step takes ten seconds.");
    else if (chart.plot && before === chart.told.lines.map((line) => line.name).join()) chart.plot.setData(columns(chart));
    else draw(chart);
  };
  const isDue = (chart) => Date.now() - chart.asked >= 1000 * (chart.told?.lines.length ? chart.told.step_s : 3);
  const again = () => charts.forEach((chart) => { if (chart.told?.lines.length) draw(chart); });

  document.addEventListener("fragments", () => charts.filter(isDue).forEach(ask));
  document.addEventListener("zone", again);
  new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  const widths = new ResizeObserver((seen) => seen.forEach(({ target }) => {
    const chart = charts.find(({ at }) => at === target);
    chart.plot?.setSize({ width: width(chart), height: HEIGHT });
  }));
  charts.forEach((chart) => { widths.observe(chart.at); ask(chart); });
})();
