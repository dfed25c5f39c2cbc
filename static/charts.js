// Draws each <figure class="chart"> from the table within it, so picture and figures cannot differ. Colours are those of
// the stylesheet, in light and in dark. Counts are written out in their cells; a figure that is rounded there has its
// value in a <data>, and an empty cell is a gap in the line.

const HOUR = 3600;
const reduced = window.matchMedia("(max-width: 760px)");
const trimmed = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const fixed = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const two = (number) => String(number).padStart(2, "0");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en");
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7, 2e7, 5e7, 1e8, 2e8, 5e8, 1e9];
const MONTH = 28 * 24 * HOUR;

/** With a minus that is as wide as a plus, as in the tables. */
const signed = (text) => text.replace("-", "−");

/** How figures of a chart are written: beside its axis, and in its legend. */
const units = {
  count: { axis: (value) => compact.format(value), legend: (value) => whole.format(value) },
  ratio: { axis: (value) => signed(trimmed.format(value)), legend: (value) => signed(fixed.format(value)) },
  percent: { axis: (value) => signed(`${trimmed.format(value * 100)} %`), legend: (value) => signed(`${tenth.format(value * 100)} %`) },
};

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** What a cell says, as a number; nothing where it is empty. */
function figure(cell) {
  const text = cell.querySelector("data")?.value ?? cell.textContent.trim().replaceAll(",", "");
  return text === "" ? null : Number(text);
}

/** The table's columns: instants in seconds, then one array a series; and the series' names. */
function figures(table) {
  const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent.trim());
  const rows = [...table.tBodies[0].rows];
  const at = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
  const columns = names.map((_, column) => rows.map((row) => figure(row.cells[column + 1])));
  return { names, data: [at, ...columns] };
}

/** UTC, like every time of these pages. */
function label(seconds, step) {
  const at = new Date(seconds * 1000);
  const day = `${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`;
  if (step >= MONTH) return `${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}`;
  if (step >= 24 * HOUR) return day;
  const midnight = at.getUTCHours() === 0 && at.getUTCMinutes() === 0;
  return midnight ? day : `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
}

function legend(figure, names, colours, unit) {
  const box = figure.querySelector(".legend");
  const values = names.map((name, number) => {
    const item = document.createElement("span");
    const key = document.createElement("span");
    key.className = "key";
    key.style.background = colours[number];
    const value = document.createElement("b");
    item.append(key, document.createTextNode(name), value);
    return { item, value };
  });
  box.replaceChildren(...values.map(({ item }) => item));
  return (data, row) => values.forEach(({ value }, number) => {
    const shown = row == null ? null : data[number + 1][row];
    value.textContent = shown == null ? "" : unit.legend(shown);
  });
}

/** A line across the plot at the figure that must not be passed. */
function threshold(plot, figure, unit) {
  const limit = Number(figure.dataset.threshold);
  if (!limit) return;
  const { ctx, bbox } = plot;
  const y = plot.valToPos(limit, "y", true);
  ctx.save();
  ctx.strokeStyle = colour("bad");
  ctx.fillStyle = colour("bad");
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.fillText(`threshold ${unit.legend(limit)}`, bbox.left + 6 * devicePixelRatio, y - 5 * devicePixelRatio);
  ctx.restore();
}

/** The hour that a page is about stands on its own ground. */
function mark(plot, figure, step) {
  if (!figure.dataset.mark) return;
  const from = Date.parse(figure.dataset.mark) / 1000;
  const { ctx, bbox } = plot;
  const left = plot.valToPos(from - step / 2, "x", true);
  const right = plot.valToPos(from + step / 2, "x", true);
  ctx.save();
  ctx.fillStyle = colour("warn-ground");
  ctx.fillRect(left, bbox.top, right - left, bbox.height);
  ctx.restore();
}

function draw(figure) {
  const place = figure.querySelector(".plot");
  const table = figure.querySelector("table");
  if (!place || !table || !window.uPlot) return;
  const { names, data } = figures(table);
  const step = data[0].length > 1 ? data[0][1] - data[0][0] : HOUR;
  const colours = names.map((name, number) => colour(`series-${name.startsWith("other") ? 8 : number + 1}`));
  const unit = units[figure.dataset.unit] ?? units.count;
  const show = legend(figure, names, colours, unit);
  const bars = figure.dataset.chart === "bars";
  const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const limit = Number(figure.dataset.threshold) || 0;
  // Not spread into arguments: a long table has more cells than a call takes.
  let [least, most] = [Math.min(limit, 0), Math.max(limit, 0)];
  for (const value of data.slice(1).flat()) [least, most] = [Math.min(least, value ?? 0), Math.max(most, value ?? 0)];
  const room = (most - least) * 0.1;
  const range = unit === units.count ? [0, Math.max(most * 1.1, 1)] : [least < 0 ? least - room : 0, most > 0 ? most + room : 0];
  if (range[0] === range[1]) range[1] = 1;
  place.plot?.destroy();
  place.plot = new uPlot({
    width: place.clientWidth,
    height: 210,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { show: !bars } },
    padding: [8, 22, 0, 0],
    scales: {
      x: bars ? { range: (_, min, max) => [min - step / 2, max + step / 2] } : {},
      y: { range },
    },
    axes: [
      { ...axis, size: 28, space: reduced.matches ? 64 : 56, values: (_, splits, __, ___, increment) => splits.map((at) => label(at, increment)) },
      { ...axis, size: 52, ...(unit === units.count ? { incrs: WHOLE_STEPS } : {}), values: (_, splits) => splits.map((value) => unit.axis(value)) },
    ],
    series: [
      {},
      ...names.map((name, number) => ({
        label: name,
        stroke: colours[number],
        width: bars ? 0 : 1.75,
        fill: bars ? colours[number] : undefined,
        paths: bars ? uPlot.paths.bars({ size: [0.7, 60] }) : undefined,
        spanGaps: true,
        points: { show: !bars && (data[0].length < 3 || figure.dataset.points === "yes") },
      })),
    ],
    hooks: {
      drawClear: [(plot) => mark(plot, figure, step)],
      draw: [(plot) => threshold(plot, figure, unit)],
      setCursor: [(plot) => show(data, plot.cursor.idx)],
    },
  }, data, place);
  place.firstElementChild?.setAttribute("aria-hidden", "true");
  if (!figure.classList.contains("drawn")) {
    figure.classList.add("drawn");
    const details = figure.querySelector("details");
    // Without this script the table stands open; what the viewer opened stays open.
    if (details && !figure.dataset.kept) details.open = false;
    sizes.observe(place);
  }
}

const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    if (target.plot && contentRect.width > 0 && Math.abs(target.plot.width - contentRect.width) > 1) {
      target.plot.setSize({ width: contentRect.width, height: 210 });
    }
  }
});

function drawAll(root) {
  for (const figure of root.querySelectorAll("figure.chart")) draw(figure);
}

drawAll(document);
document.addEventListener("part:replaced", (event) => {
  // Whether a table stands open was carried over from what was shown before.
  for (const figure of event.target.querySelectorAll("figure.chart")) figure.dataset.kept = "yes";
  drawAll(event.target);
});
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(document));
