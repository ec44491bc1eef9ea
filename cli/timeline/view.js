// What part of time is seen, and how times and numbers are written.

const MIN_WIDTH_NS = 50;
const whole = facts.spans > 0 ? {
  from: facts.cut_from ? facts.first_ns : 0,
  to: Math.max(facts.last_ns, facts.first_ns + 1000)
} :
                                {from: 0, to: 1e6};
const view = {
  from: whole.from,
  to: whole.to,
  edges: true,
  selected: -1,
  hover: null,
  mark: null
};
const search = {
  text: "",
  names: null,
  count: 0,
  at: -1
};

const THIN = "\u2009";

function group(digits) { return digits.replace(/\B(?=(\d{3})+$)/g, THIN); }
const count = n => group(String(n));

function duration(ns) {
  const units = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]];
  for (const [unit, name] of units)
    if (ns >= unit) {
      const value = ns / unit;
      return `${value >= 1000 ? count(Math.round(value)) : value.toPrecision(4)}${THIN}${name}`;
    }
  return `${Math.round(ns)}${THIN}ns`;
}

const CLOCK = whole.to < 1e6 ? [1e3, 3, "µs"] : whole.to < 1e9 ? [1e6, 6, "ms"] : [1e9, 9, "s"];

// A moment, with as many digits as tell steps of that size apart.
function moment(ns, step = 1) {
  const [unit, most, name] = CLOCK;
  const digits = Math.min(most, Math.max(0, Math.ceil(most - Math.log10(step) - 1e-9)));
  const [units, rest] = (ns / unit).toFixed(digits).split(".");
  const tail = rest ? `.${rest.replace(/(\d{3})(?=\d)/g, `$1${THIN}`)}` : "";
  return `${group(units)}${tail}${THIN}${name}`;
}

const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

function setView(from, to) {
  const all = whole.to - whole.from, margin = all * 0.02;
  const width = Math.min(Math.max(to - from, MIN_WIDTH_NS), all + 2 * margin);
  const middle = (from + to) / 2;
  let start = middle - width / 2;
  start = Math.max(whole.from - margin, Math.min(start, whole.to + margin - width));
  view.from = start;
  view.to = start + width;
}

function showAll() {
  const margin = (whole.to - whole.from) * 0.01;
  setView(whole.from - margin, whole.to + margin);
}

function zoom(factor, at = (view.from + view.to) / 2) {
  const width = view.to - view.from;
  const wanted = Math.max(width * factor, MIN_WIDTH_NS);
  const share = (at - view.from) / width;
  setView(at - wanted * share, at + wanted * (1 - share));
}

function pan(share) {
  const by = (view.to - view.from) * share;
  setView(view.from + by, view.to + by);
}

// So much around a span that it can be seen with its neighbours.
function zoomToSpan(i, around = 1) {
  const width = Math.max(spans.end[i] - spans.begin[i], MIN_WIDTH_NS);
  setView(spans.begin[i] - width * around, spans.end[i] + width * around);
}

// Moves only as much as it takes to see the span.
function reveal(i) {
  const width = view.to - view.from, length = spans.end[i] - spans.begin[i];
  if (length < width / 400)
    zoomToSpan(i, 60);
  else if (spans.begin[i] < view.from || spans.end[i] > view.to)
    setView(spans.begin[i] + length / 2 - width / 2, spans.begin[i] + length / 2 + width / 2);
}

function find(text) {
  const wanted = text.trim().toLowerCase();
  search.text = text;
  search.at = -1;
  search.count = 0;
  search.names = null;
  if (!wanted) return;
  const exact = facts.names.some(n => n.name.toLowerCase() === wanted);
  search.names = Uint8Array.from(facts.names, n => {
    const name = n.name.toLowerCase();
    return exact ? name === wanted : name.includes(wanted);
  });
  facts.names.forEach((n, i) => {
    if (search.names[i]) search.count += n.spans;
  });
}

const matches = i => !search.names || search.names[spans.name[i]] === 1;

// The next (1) or previous (-1) match from what is selected, or from the left of the view; it
// wraps.
function findNext(step) {
  if (!search.names || !search.count || !spans.count) return;
  let i = view.selected;
  if (i < 0) {
    i = 0;
    while (i < spans.count && spans.begin[i] < view.from) i++;
    if (step > 0) i--;
  }
  do i = (i + step + spans.count) % spans.count;
  while (!matches(i));
  search.at = 0;
  for (let k = 0; k <= i; k++)
    if (matches(k)) search.at++;
  view.selected = i;
  reveal(i);
}
