// Draws candles (TradingView Lightweight Charts) and lines (uPlot) from the figures that the server put into #series.
(() => {
  const series = () => document.getElementById("series")?.dataset;
  const candlesAt = document.getElementById("candles");
  let chart = null, bars = null, volumes = null, fitted = false;
  const dress = () => {
    const [up, down, muted, line] = ["well", "down", "muted", "line"].map(pens.colour);
    chart.applyOptions({
      layout: { background: { color: "transparent" }, textColor: muted, attributionLogo: false, fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      rightPriceScale: { borderColor: line }, timeScale: { borderColor: line, timeVisible: true, secondsVisible: location.search.includes("interval=1s") },
    });
    bars.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down, borderVisible: false });
    return [pens.faint(up), pens.faint(down)];
  };
  const digits = (rows) => Math.min(10, Math.max(2, ...rows.slice(-50).map((row) => (String(Number(row[4].toPrecision(9))).split(".")[1] ?? "").length)));
  // All of them; a few stand at the right as wide as they will be among many.
  const FEW = 60;
  const show = (count) => {
    if (count >= FEW) chart.timeScale().fitContent();
    else chart.timeScale().setVisibleLogicalRange({ from: count - FEW, to: count + 2 });
  };
  const drawCandles = () => {
    const rows = JSON.parse(series().candles);
    if (!chart) {
      chart = LightweightCharts.createChart(candlesAt, { autoSize: true, layout: { attributionLogo: false } });
      bars = chart.addSeries(LightweightCharts.CandlestickSeries);
      volumes = chart.addSeries(LightweightCharts.HistogramSeries, { priceScaleId: "", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
      volumes.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    }
    const [up, down] = dress();
    const precision = digits(rows);
    bars.applyOptions({ priceFormat: { type: "price", precision, minMove: 10 ** -precision } });
    bars.setData(rows.map(([time, open, high, low, close]) => ({ time: zone.shifted_s(time), open, high, low, close })));
    volumes.setData(rows.map(([time, open, , , close, value]) => ({ time: zone.shifted_s(time), value, color: close < open ? down : up })));
    if (!fitted) { show(rows.length); fitted = true; }
  };

  // A chart of lines: `how` makes its axes and series in the colours of now, and the newest rows are its columns.
  const HEIGHT = 190;
  const lined = (id, name, how) => {
    const at = document.getElementById(id);
    if (!at) return null;
    let plot = null;
    const columns = () => {
      const rows = JSON.parse(series()[name]);
      return how().series.map((_, place) => rows.map((row) => row[place]));
    };
    const width = () => Math.max(200, at.clientWidth);
    new ResizeObserver(() => plot?.setSize({ width: width(), height: HEIGHT })).observe(at);
    return (anew) => {
      if (plot && !anew) { plot.setData(columns()); return; }
      plot?.destroy();
      plot = new uPlot({ width: width(), height: HEIGHT, ...how() }, columns(), at);
    };
  };
  const span = new URLSearchParams(location.search).get("range") ?? "15m";
  const clock = span === "15m" || span === "1h" ? zone.clock : zone.minute;
  const timed = () => ({ label: zone.name(), value: (_, at) => (at === null ? "" : clock(at)) });
  const shown = (unit) => (_, value) => (value === null ? "" : `${Number(value.toPrecision(8))}${unit}`);
  const lines = (number, label, scale, unit) => ({ ...pens.line(number), label, scale, points: { show: false }, value: shown(unit) });
  const drawLately = lined("lately", "lately", () => ({
    scales: { imbalance: { range: [-1, 1] } },
    axes: [
      { ...pens.axis(), space: 80, values: (_, ticks) => ticks.map(clock) },
      { ...pens.axis(), scale: "bps", size: 60 },
      { ...pens.axis(), scale: "imbalance", side: 1, size: 45, grid: { show: false } },
    ],
    series: [timed(), lines(0, "spread, bps", "bps", ""), lines(1, "imbalance, 5 levels", "imbalance", "")],
  }));
  const drawApart = lined("apart", "beside", () => ({
    axes: [
      { ...pens.axis(), space: 80, values: (_, ticks) => ticks.map(clock) },
      { ...pens.axis(), scale: "price", size: 80 },
      { ...pens.axis(), scale: "bps", side: 1, size: 55, grid: { show: false } },
    ],
    series: [timed(), lines(0, "mid here", "price", ""), lines(1, "mid there", "price", ""), lines(2, "apart, bps", "bps", "")],
  }));

  const draw = (anew = false) => {
    if (candlesAt) drawCandles();
    drawLately?.(anew);
    drawApart?.(anew);
  };
  draw();
  document.addEventListener("fragments", () => draw());
  document.addEventListener("zone", () => draw(true));
  new MutationObserver(() => draw(true)).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(true));
})();
