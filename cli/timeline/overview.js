// All of the recording in one row, above the lanes.

const overview = document.getElementById("overview");
const wideX = ns => GUTTER + (ns - whole.from) / (whole.to - whole.from) * (plotWidth - 12);
const wideNs = x => whole.from + (x - GUTTER) / (plotWidth - 12) * (whole.to - whole.from);

// All lanes together: never more than one has the token.
function drawOverviewBars(c, top, height) {
  const bars = new Bars(), lanes = facts.lanes.map((_, lane) => lane);
  for (let x = GUTTER; x < wideX(whole.to); x++)
    stack(bars, binShares(lanes, wideNs(x), wideNs(x + 1)), x, top, height, 0);
  bars.paint(c);
}

let overviewBars = null;  // drawn once for a size and theme

function drawOverview() {
  const width = overview.clientWidth, height = 76, top = 12, tall = 44;
  const c = prepare(overview, width, height);
  const key = [overview.width, overview.height, colours.ground].join();
  if (!overviewBars || overviewBars.key !== key) {
    overviewBars = Object.assign(
        document.createElement("canvas"), {width: overview.width, height: overview.height, key});
    const bc = overviewBars.getContext("2d");
    bc.scale(overview.width / width, overview.width / width);
    drawOverviewBars(bc, top, tall);
  }
  c.fillStyle = colours["line-soft"];
  c.fillRect(GUTTER, top + tall, wideX(whole.to) - GUTTER, 1);
  c.drawImage(overviewBars, 0, 0, width, height);
  drawHits(c, top + tall + 3);
  const a = Math.max(GUTTER, wideX(view.from)), b = Math.min(wideX(whole.to), wideX(view.to));
  c.fillStyle = colours.shade;
  c.fillRect(GUTTER, top - 4, a - GUTTER, tall + 8);
  c.fillRect(b, top - 4, wideX(whole.to) - b, tall + 8);
  c.strokeStyle = colours.accent;
  c.lineWidth = 1.5;
  c.strokeRect(a, top - 4, Math.max(2, b - a), tall + 8);
  c.font = `600 12px ${FONT}`;
  c.fillStyle = colours.text;
  c.textBaseline = "middle";
  c.fillText("Overview", 14, top + 14);
  c.font = `11px ${FONT}`;
  c.fillStyle = colours.muted;
  if (facts.spans) c.fillText(duration(whole.to - whole.from), 14, top + 31);
}

function drawHits(c, y) {
  if (!search.names || !search.count) return;
  const hit = new Uint8Array(Math.ceil(overview.clientWidth) + 1);
  for (let i = 0; i < spans.count; i++)
    if (matches(i)) hit[Math.max(0, Math.floor(wideX(spans.begin[i])))] = 1;
  c.fillStyle = colours.accent;
  hit.forEach((is, x) => {
    if (is) c.fillRect(x, y, 1, 6);
  });
}
