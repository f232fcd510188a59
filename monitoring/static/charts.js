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
    if (!fitted) { chart.timeScale().fitContent(); fitted = true; }
  };

  const latelyAt = document.getElementById("lately");
  let lines = null;
  const columns = () => {
    const rows = JSON.parse(series().lately);
    return [0, 1, 2].map((at) => rows.map((row) => row[at]));
  };
  const width = () => Math.max(200, latelyAt.clientWidth);
  const drawLines = (anew) => {
    if (lines && !anew) { lines.setData(columns()); return; }
    lines?.destroy();
    const [accent, slow] = ["accent", "slow"].map(pens.colour);
    const axis = pens.axis();
    lines = new uPlot({
      width: width(), height: 190,
      scales: { imbalance: { range: [-1, 1] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map(zone.clock) }, { ...axis, scale: "bps", size: 60 }, { ...axis, scale: "imbalance", side: 1, size: 45, grid: { show: false } }],
      series: [{ label: zone.name(), value: (_, at) => (at === null ? "" : zone.clock(at)) }, { label: "spread, bps", scale: "bps", stroke: accent, width: 1.4 }, { label: "imbalance, 5 levels", scale: "imbalance", stroke: slow, width: 1.2, dash: [5, 3] }],
    }, columns(), latelyAt);
  };

  const draw = (anew = false) => {
    if (candlesAt) drawCandles();
    if (latelyAt) drawLines(anew);
  };
  draw();
  document.addEventListener("fragments", () => draw());
  document.addEventListener("zone", () => draw(true));
  new MutationObserver(() => draw(true)).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(true));
  if (latelyAt) new ResizeObserver(() => lines?.setSize({ width: width(), height: 190 })).observe(latelyAt);
})();
