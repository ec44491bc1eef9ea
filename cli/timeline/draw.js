// The picture: axis, lanes with their bars, edges.

const GUTTER = 104, AXIS = 30, MARK_LIMIT = 200, EDGE_LIMIT = 800;
const FONT = "\"DejaVu Sans\", system-ui, -apple-system, \"Segoe UI\", Roboto, sans-serif";
const picture = document.getElementById("picture");
const lanesBox = document.getElementById("lanes");
const shown = {
  spans: 0,
  edges: 0,
  edgesHidden: 0
};  // by the last drawing
let colours = {}, laneHeight = 40;
const labelWidths = new Map();

// Names of one type differ a little, so that neighbours can be told apart.
const SHADES = [0, 0.16, -0.14];
const shadeOf = Uint8Array.from(
    facts.names,
    n => [...n.name].reduce((h, ch) => h * 31 + ch.charCodeAt(0) >>> 0, 7) % SHADES.length);

function shade(colour, by) {
  const towards = by > 0 ? 255 : 0;
  const parts = [1, 3, 5].map(at => parseInt(colour.slice(at, at + 2), 16));
  return `rgb(${parts.map(v => Math.round(v + (towards - v) * Math.abs(by))).join()})`;
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const get = name => style.getPropertyValue(name).trim();
  colours = {types: facts.types.map((_, t) => get(`--type-${t}`))};
  colours.fills = colours.types.flatMap(type => SHADES.map(by => shade(type, by)));
  for (const name
           of ["ground", "raised", "line", "line-soft", "text", "muted", "accent", "edge", "shade",
               "bar-text", "dark-text"])
    colours[name] = get(`--${name}`);
}

// Light types carry dark text in both themes.
const barText = type =>
    (type === 4 && colours.text > "#8" ? colours.text :
         type === 4 || type === 6      ? colours["dark-text"] :
                                         colours["bar-text"]);

function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  const c = canvas.getContext("2d");
  c.setTransform(ratio, 0, 0, ratio, 0, 0);
  c.clearRect(0, 0, width, height);
  return c;
}

// Asked for once a drawing: asking a page for its widths takes longer than drawing a bar.
let plotWidth = 1, plotRight = GUTTER + 1;
const xOf = ns => GUTTER + (ns - view.from) / (view.to - view.from) * plotWidth;
const nsOf = x => view.from + (x - GUTTER) / plotWidth * (view.to - view.from);
const laneTop = lane => AXIS + lane * laneHeight - lanesBox.scrollTop;
const laneAt = y => {
  const lane = Math.floor((y - AXIS + lanesBox.scrollTop) / laneHeight);
  return y >= AXIS && lane >= 0 && lane < laneCount ? lane : -1;
};
const barInset = () => (laneHeight >= 30 ? 7 : laneHeight >= 18 ? 3 : 1);

function layOut() {
  plotRight = picture.clientWidth;
  plotWidth = Math.max(1, plotRight - GUTTER);
  const room = lanesBox.clientHeight - AXIS;
  laneHeight = Math.max(16, Math.min(96, Math.floor(room / laneCount)));
  const spacer = document.getElementById("spacer");
  spacer.style.height = `${Math.max(0, AXIS + laneHeight * laneCount - lanesBox.clientHeight)}px`;
}

function stepFor(width_ns, pixels) {
  const least = width_ns / Math.max(1, pixels / 130);
  const unit = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].find(m => m * unit >= least) * unit;
}

function drawAxis(c, width, height) {
  const step = Math.max(1, stepFor(view.to - view.from, width - GUTTER));
  c.fillStyle = colours.raised;
  c.fillRect(0, 0, width, AXIS);
  c.font = `11px ${FONT}`;
  c.textBaseline = "middle";
  for (let k = facts.spans ? Math.ceil(view.from / step) : Infinity; k * step <= view.to; k++) {
    const x = Math.round(xOf(k * step)) + 0.5;
    if (x < GUTTER) continue;
    c.fillStyle = colours["line-soft"];
    c.fillRect(x - 0.5, AXIS, 1, height - AXIS);
    c.fillStyle = colours.muted;
    c.fillRect(x - 0.5, AXIS - 6, 1, 6);
    const label = moment(k * step, step);
    if (x + 5 + c.measureText(label).width < width) c.fillText(label, x + 5, AXIS / 2);
  }
  c.fillStyle = colours.line;
  c.fillRect(0, AXIS - 1, width, 1);
}

// Rectangles by colour, so that each is set once.
class Bars {
  constructor() {
    this.full = colours.fills.map(() => []);
    this.dim = colours.fills.map(() => []);
  }
  add(type, dim, x, y, w, h, shade = 0) {
    (dim ? this.dim : this.full)[type * SHADES.length + shade].push(x, y, w, h);
  }
  paint(c) {
    for (const [lists, alpha] of [[this.dim, 0.22], [this.full, 1]]) {
      c.globalAlpha = alpha;
      lists.forEach((list, fill) => {
        c.fillStyle = colours.fills[fill];
        for (let i = 0; i < list.length; i += 4)
          c.fillRect(list[i], list[i + 1], list[i + 2], list[i + 3]);
      });
    }
    c.globalAlpha = 1;
  }
}

// What is less than a pixel wide is added up: as high as the pixel's time is busy, by type.
class Column {
  constructor(bars, y, height, scale) {
    Object.assign(
        this, {bars, y, height, scale, x: -1, all: 0, sums: new Float64Array(2 * typeCount)});
  }
  add(x, type, dim, ns) {
    if (x !== this.x) {
      this.flush();
      this.x = x;
    }
    const part = ns > 1 ? ns : 1;
    this.sums[2 * type + (dim ? 1 : 0)] += part;
    this.all += part;
  }
  flush() {
    if (!this.all) return;
    // Something is always seen of it, however little it was.
    const high = Math.min(this.height, Math.max(3, this.height * this.all / this.scale));
    let y = this.y + this.height;
    for (let k = 0; k < this.sums.length; k++) {
      if (!this.sums[k]) continue;
      const h = high * this.sums[k] / this.all;
      y -= h;
      this.bars.add(k >> 1, k & 1, this.x, y, 1, h);
      this.sums[k] = 0;
    }
    this.all = 0;
  }
}

function drawLaneBars(bars, lane, labels) {
  const list = spans.ofLane[lane];
  const inset = barInset(), y = laneTop(lane) + inset, h = laneHeight - 2 * inset;
  const perPixel = (view.to - view.from) / plotWidth;
  const column = new Column(bars, y, h, perPixel);
  let busy = 0;
  for (let k = firstAbove(list, spans.end, view.from - perPixel); k < list.length; k++) {
    const i = list[k], begin = spans.begin[i], end = spans.end[i];
    if (begin > view.to) break;
    const x0 = Math.max(xOf(begin), GUTTER), x1 = Math.min(xOf(end), plotRight);
    const type = nameTypes[spans.name[i]], dim = !matches(i);
    busy += Math.max(0, Math.min(end, view.to) - Math.max(begin, view.from));
    shown.spans++;
    if (x1 - x0 < 1.5) {
      column.add(Math.floor(x0), type, dim, end - begin);
      continue;
    }
    // A hair of room between neighbours, where there is room.
    const gap = x1 - x0 > 6 ? 0.75 : 0;
    bars.add(type, dim, x0, y, x1 - x0 - gap, h, shadeOf[spans.name[i]]);
    if (x1 - x0 > 26 && h >= 11) labels.push(i, x0, x1 - x0 - gap, y + h / 2, dim ? 1 : 0);
  }
  column.flush();
  return busy;
}

// The bins of some lanes that begin in a time (at least one), by type and as a share of that time.
function binShares(lanes, from, to) {
  const at = Math.floor((from - bins.start_ns) / bins.width_ns);
  const end =
      Math.min(bins.count, Math.max(at + 1, Math.floor((to - bins.start_ns) / bins.width_ns)));
  const first = Math.max(0, at);
  const shares = new Float64Array(typeCount);
  for (const lane of lanes)
    for (let type = 0; type < typeCount; type++)
      for (let b = first; b < end; b++) shares[type] += bins.busy[lane][type][b];
  return shares.map(ns => (end > first ? Math.min(1, ns / ((end - first) * bins.width_ns)) : 0));
}

function stack(bars, shares, x, top, height, least) {
  let y = top + height;
  shares.forEach((share, type) => {
    if (!share) return;
    const h = Math.max(least, height * share);
    y -= h;
    bars.add(type, false, x, y, 1, h);
  });
}

// Without spans: how busy it was.
function drawLaneBins(bars, lane) {
  const inset = barInset(), y = laneTop(lane) + inset, h = laneHeight - 2 * inset;
  const perPixel = (view.to - view.from) / plotWidth;
  let busy = 0;
  for (let x = GUTTER; x < plotRight; x++) {
    const shares = binShares([lane], nsOf(x), nsOf(x + 1));
    for (const share of shares) busy += share * perPixel;
    stack(bars, shares, x, y, h, 1);
  }
  return busy;
}

function drawLabels(c, labels) {
  c.font = `11px ${FONT}`;
  c.textBaseline = "middle";
  for (let k = 0; k < labels.length; k += 5) {
    const [i, x, width, y, dim] = labels.slice(k, k + 5);
    let text = facts.names[spans.name[i]].name;
    if (!labelWidths.has(text)) labelWidths.set(text, c.measureText(text).width);
    const room = width - 10;
    if (labelWidths.get(text) > room) {
      const keep = Math.floor(text.length * (room - 8) / labelWidths.get(text));
      if (keep < 3) continue;
      text = `${text.slice(0, keep)}…`;
    }
    c.globalAlpha = dim ? 0.45 : 1;
    c.fillStyle = dim ? colours.text : barText(typeOf(i));
    c.fillText(text, x + 5, y + 0.5);
  }
  c.globalAlpha = 1;
}

function drawLaneNames(c, busy, height) {
  c.fillStyle = colours.ground;
  c.fillRect(0, AXIS, GUTTER, height - AXIS);
  c.textBaseline = "middle";
  for (let lane = 0; lane < laneCount; lane++) {
    const y = laneTop(lane);
    if (y > height || y + laneHeight < AXIS) continue;
    const two = laneHeight >= 38;
    c.fillStyle = colours["line-soft"];
    c.fillRect(0, y + laneHeight - 1, plotRight, 1);
    c.font = `600 ${laneHeight >= 22 ? 12 : 10.5}px ${FONT}`;
    c.fillStyle = colours.text;
    c.fillText(facts.lanes[lane], 14, y + laneHeight / 2 - (two ? 7 : 0));
    const share = busy[lane] / (Math.min(view.to, whole.to) - Math.max(view.from, whole.from));
    if (!facts.spans) continue;
    const percent =
        `${(100 * Math.min(1, share || 0)).toFixed(share < 0.0995 && share > 0 ? 1 : 0)}${THIN}%`;
    c.font = `${laneHeight >= 22 ? 11 : 10}px ${FONT}`;
    c.fillStyle = colours.muted;
    c.textAlign = two ? "left" : "right";
    c.fillText(
        two ? `${percent} busy` : percent, two ? 14 : GUTTER - 8,
        y + laneHeight / 2 + (two ? 9 : 0));
    c.textAlign = "left";
  }
  c.fillStyle = colours.line;
  c.fillRect(GUTTER - 1, 0, 1, height);
}

const edgeFrom = i => (spans.flags[i] & FOLLOWS && i > 0 ? i - 1 : -1);

// How many edges end in the view or just right of it; `list` gets the first of them.
function visibleEdges(list) {
  let low = 0, high = spans.count, found = 0;
  while (low < high) {
    const middle = low + high >> 1;
    if (spans.end[middle] >= view.from)
      high = middle;
    else
      low = middle + 1;
  }
  for (let i = low; i < spans.count; i++) {
    if (edgeFrom(i) >= 0 && found++ < EDGE_LIMIT) list.push(i);
    if (spans.begin[i] > view.to) break;
  }
  return found;
}

function drawEdge(c, i, strong) {
  const from = edgeFrom(i), middle = laneHeight / 2;
  const x0 = xOf(spans.end[from]), y0 = laneTop(spans.lane[from]) + middle;
  const x1 = xOf(spans.begin[i]), y1 = laneTop(spans.lane[i]) + middle;
  const bend = Math.min(40, Math.max(10, (x1 - x0) / 2));
  c.globalAlpha = strong ? 1 : 0.45;
  c.strokeStyle = c.fillStyle = strong ? colours.accent : colours.edge;
  c.lineWidth = strong ? 2 : 1;
  c.beginPath();
  c.moveTo(x0, y0);
  c.bezierCurveTo(x0 + bend, y0, x1 - bend, y1, x1 - 4, y1);
  c.stroke();
  c.beginPath();
  c.moveTo(x1, y1);
  c.lineTo(x1 - 6, y1 - 3.5);
  c.lineTo(x1 - 6, y1 + 3.5);
  c.fill();
  c.globalAlpha = 1;
}

function drawEdges(c) {
  shown.edges = shown.edgesHidden = 0;
  if (!view.edges || !spans.count) return;
  const list = [], found = visibleEdges(list);
  if (found > EDGE_LIMIT) {
    shown.edgesHidden = found;
    return;
  }
  shown.edges = found;
  for (const i of list) drawEdge(c, i, false);
}

// Interrupts that came while the kernel ran: a notch at the bar's top.
function drawInstants(c) {
  const first = firstInstantAfter(view.from), end = firstInstantAfter(view.to);
  if (end - first > MARK_LIMIT) return;
  c.fillStyle = colours.text;
  for (let k = first; k < end; k++) {
    const x = xOf(instants.ns[k]), y = laneTop(instants.lane[k]) + barInset();
    c.beginPath();
    c.moveTo(x - 3.5, y - 3);
    c.lineTo(x + 3.5, y - 3);
    c.lineTo(x, y + 4);
    c.fill();
  }
}

function outline(c, i, colour, width) {
  const inset = barInset() - 1.5, x = Math.max(GUTTER - 2, xOf(spans.begin[i]));
  c.strokeStyle = colour;
  c.lineWidth = width;
  c.strokeRect(
      x - 0.5, laneTop(spans.lane[i]) + inset, Math.max(2, xOf(spans.end[i]) - x),
      laneHeight - 2 * inset);
}

function drawSelected(c) {
  const i = view.selected;
  if (view.hover !== null && view.hover !== i) outline(c, view.hover, colours.muted, 1);
  if (i < 0) return;
  outline(c, i, colours.text, 2);
  if (!view.edges) return;
  if (edgeFrom(i) >= 0) drawEdge(c, i, true);
  if (i + 1 < spans.count && edgeFrom(i + 1) === i) drawEdge(c, i + 1, true);
}

function drawMark(c, height) {
  if (!view.mark) return;
  const [a, b] = view.mark.map(xOf).sort((p, q) => p - q);
  c.fillStyle = colours.accent;
  c.globalAlpha = 0.16;
  c.fillRect(a, AXIS, b - a, height);
  c.globalAlpha = 1;
  c.font = `600 11px ${FONT}`;
  c.fillText(duration(Math.abs(view.mark[1] - view.mark[0])), Math.max(a, GUTTER) + 6, AXIS + 10);
}

function drawEmpty(c, width, height) {
  c.fillStyle = colours.muted;
  c.font = `13px ${FONT}`;
  c.textAlign = "center";
  c.fillText(
      facts.cut_from || facts.cut_to ? "Nothing ran in kernel mode in this time." :
                                       "This recording has no slices.",
      (width + GUTTER) / 2, Math.min(height, AXIS + laneHeight * laneCount + 60) - 24);
  c.textAlign = "left";
}

function drawPicture() {
  const width = plotRight, height = lanesBox.clientHeight;
  const c = prepare(picture, width, height);
  const bars = new Bars(), labels = [], busy = [];
  shown.spans = 0;
  drawAxis(c, width, height);
  c.save();
  c.beginPath();
  c.rect(0, AXIS, width, height - AXIS);
  c.clip();
  for (let lane = 0; lane < laneCount; lane++)
    busy.push(facts.has_rows ? drawLaneBars(bars, lane, labels) : drawLaneBins(bars, lane));
  bars.paint(c);
  drawLabels(c, labels);
  drawEdges(c);
  drawInstants(c);
  drawSelected(c);
  drawMark(c, height);
  drawLaneNames(c, busy, height);
  if (!facts.spans) drawEmpty(c, width, height);
  c.restore();
}
