// Pointer, keys, search, address; what the page says of itself in attributes of its body.

const tip = element("tip"), findBox = element("find");
let drawing = false, panelShows = null;

function sayFacts() {
  Object.assign(document.body.dataset, {
    lanes: laneCount,
    spans: facts.spans,
    slices: facts.slices,
    instants: facts.instants,
    rows: spans.count,
    shown: shown.spans,
    edges: shown.edges,
    matches: search.count,
    selected: view.selected,
    from: Math.round(view.from),
    to: Math.round(view.to),
  });
  element("status").textContent = shown.edgesHidden ?
      `${count(shown.edgesHidden)} edges: zoom in to see them` :
      facts.spans ? `${duration(view.to - view.from)} in view` :
                    "";
  element("hits").textContent = !search.names ? "" :
      !search.count                           ? "no match" :
      search.at > 0                           ? `${count(search.at)} of ${count(search.count)}` :
                                                plural(search.count, "match").replace(/s$/, "es");
  element("previous").disabled = element("next").disabled = !search.count || !spans.count;
}

function drawNow() {
  drawing = false;
  layOut();
  drawPicture();
  drawOverview();
  if (panelShows !== view.selected) {
    panelShows = view.selected;
    drawPanel();
  }
  sayFacts();
}

function redraw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(drawNow);
}

function select(i) {
  if (i === undefined) return;
  view.selected = i;
  if (i >= 0) {
    reveal(i);
    const top = laneTop(spans.lane[i]);
    if (top < AXIS || top + laneHeight > lanesBox.clientHeight)
      lanesBox.scrollTop += top - lanesBox.clientHeight / 2;
  }
  redraw();
}

function startSearch(text) {
  findBox.value = text;
  find(text);
  redraw();
}

function step(by) {
  findNext(by);
  if (search.at > 0) select(view.selected);
}

// The span under the pointer; of several in one pixel the longest.
function spanAt(x, y) {
  const lane = laneAt(y);
  if (lane < 0 || x < GUTTER || !spans.count) return null;
  const list = spans.ofLane[lane], from = nsOf(x - 1.5), to = nsOf(x + 1.5);
  let best = null;
  for (let k = firstAbove(list, spans.end, from - 1); k < list.length && spans.begin[list[k]] <= to;
       k++)
    if (best === null ||
        spans.end[list[k]] - spans.begin[list[k]] > spans.end[best] - spans.begin[best])
      best = list[k];
  return best;
}

function instantAt(x, y) {
  const from = firstInstantAfter(nsOf(x - 5)), to = firstInstantAfter(nsOf(x + 5));
  for (let k = from; k < to && to - from < 100; k++)
    if (instants.lane[k] === laneAt(y) && y < laneTop(instants.lane[k]) + barInset() + 7) return k;
  return null;
}

function tipFor(x, y) {
  const k = instantAt(x, y);
  if (k !== null)
    return [
      make("b", {}, swatch(3), facts.names[instants.name[k]].name),
      make("div", {}, make("span", {}, "in kernel mode, at "), moment(instants.ns[k]))
    ];
  const i = spanAt(x, y);
  if (i !== null)
    return [
      make("b", {}, swatch(typeOf(i)), nameOf(i)),
      make(
          "div", {}, duration(spans.end[i] - spans.begin[i]), make("span", {}, " at "),
          moment(spans.begin[i])),
      make("div", {}, make("span", {}, "slice "), count(spans.slice[i]))
    ];
  return facts.has_rows ? null : tipForBin(x, laneAt(y));
}

function tipForBin(x, lane) {
  const b = Math.floor((nsOf(x) - bins.start_ns) / bins.width_ns);
  if (lane < 0 || x < GUTTER || b < 0 || b >= bins.count || !bins.busy[lane].some(type => type[b]))
    return null;
  const lines = bins.busy[lane].map((type, t) => [t, type[b]]).filter(([, ns]) => ns > 0);
  return [
    make("b", {}, facts.lanes[lane]),
    make(
        "div", {}, make("span", {}, `${duration(bins.width_ns)} from `),
        moment(bins.start_ns + b * bins.width_ns)),
    make("div", {}, plural(bins.began[lane][b], "span"), make("span", {}, " began")),
    ...lines.map(
        ([t, ns]) =>
            make("div", {}, swatch(t), ` ${facts.types[t]} `, make("span", {}, duration(ns))))
  ];
}

function showTip(event) {
  const content = tipFor(event.offsetX, event.offsetY);
  tip.hidden = !content;
  if (!content) return;
  tip.replaceChildren(...content);
  const {width, height} = tip.getBoundingClientRect();
  tip.style.left = `${Math.min(event.clientX + 14, innerWidth - width - 8)}px`;
  tip.style.top = `${
      event.clientY + 18 + height > innerHeight ? event.clientY - height - 10 :
                                                  event.clientY + 18}px`;
}

function watchPicture() {
  let drag = null;
  picture.addEventListener("pointerdown", event => {
    if (event.button !== 0 || event.offsetX < GUTTER) return;
    drag = {x: event.offsetX, from: view.from, to: view.to, mark: event.shiftKey, moved: false};
    picture.setPointerCapture(event.pointerId);
    lanesBox.focus({preventScroll: true});
  });
  picture.addEventListener("pointermove", event => {
    if (!drag) {
      const over = spanAt(event.offsetX, event.offsetY);
      if (over !== view.hover) redraw();
      view.hover = over;
      showTip(event);
      return;
    }
    tip.hidden = true;
    if (!drag.moved && Math.abs(event.offsetX - drag.x) < 4) return;
    drag.moved = true;
    picture.classList.toggle("dragging", !drag.mark);
    if (drag.mark) {
      view.mark = [nsOf(Math.max(GUTTER, drag.x)), nsOf(Math.max(GUTTER, event.offsetX))];
    } else {
      const by = (drag.x - event.offsetX) / plotWidth * (drag.to - drag.from);
      setView(drag.from + by, drag.to + by);
    }
    redraw();
  });
  const release = event => {
    if (!drag) return;
    const {moved} = drag;
    drag = null;
    picture.classList.remove("dragging");
    if (view.mark)
      setView(...view.mark.sort((a, b) => a - b));
    else if (!moved)
      view.selected = spanAt(event.offsetX, event.offsetY) ?? -1;
    view.mark = null;
    redraw();
  };
  picture.addEventListener("pointerup", release);
  picture.addEventListener("pointercancel", () => {
    drag = view.mark = null;
    redraw();
  });
  picture.addEventListener("pointerleave", () => {
    tip.hidden = true;
    view.hover = null;
    redraw();
  });
  picture.addEventListener("dblclick", () => {
    if (view.selected >= 0) {
      zoomToSpan(view.selected);
      redraw();
    }
  });
  picture.addEventListener("wheel", event => {
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.offsetX < GUTTER && !sideways) return;
    event.preventDefault();
    if (sideways)
      pan((event.deltaX || event.deltaY) / plotWidth);
    else
      zoom(1.0015 ** event.deltaY, nsOf(event.offsetX));
    showTip(event);
    redraw();
  }, {passive: false});
  lanesBox.addEventListener("scroll", redraw);
}

function watchOverview() {
  let grab = null;
  const move = event => {
    const width = view.to - view.from, at = wideNs(event.offsetX) - grab;
    setView(at - width / 2, at + width / 2);
    redraw();
  };
  overview.addEventListener("pointerdown", event => {
    const at = wideNs(event.offsetX), middle = (view.from + view.to) / 2;
    grab = at >= view.from && at <= view.to ? at - middle : 0;
    overview.setPointerCapture(event.pointerId);
    move(event);
  });
  overview.addEventListener("pointermove", event => {
    if (grab !== null) move(event);
  });
  for (const end of ["pointerup", "pointercancel"])
    overview.addEventListener(end, () => {
      grab = null;
    });
  overview.addEventListener("wheel", event => {
    event.preventDefault();
    zoom(1.0015 ** event.deltaY, wideNs(event.offsetX));
    redraw();
  }, {passive: false});
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  readColours();
  redraw();
}
const switchTheme = () =>
    setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");

function setEdges(on) {
  view.edges = on;
  element("edges").setAttribute("aria-pressed", on);
  redraw();
}

const onLane = by => {
  if (view.selected >= 0) select(neighbour(view.selected, by));
};
const keys = {
  w: () => zoom(0.7),
  "+": () => zoom(0.7),
  "=": () => zoom(0.7),
  s: () => zoom(1 / 0.7),
  "-": () => zoom(1 / 0.7),
  a: () => pan(-0.15),
  d: () => pan(0.15),
  ArrowLeft: () => pan(-0.15),
  ArrowRight: () => pan(0.15),
  ArrowUp: () => {
    lanesBox.scrollTop -= laneHeight;
  },
  ArrowDown: () => {
    lanesBox.scrollTop += laneHeight;
  },
  f: showAll,
  n: () => step(1),
  N: () => step(-1),
  e: () => setEdges(!view.edges),
  t: switchTheme,
  "[": () => onLane(-1),
  "]": () => onLane(1),
  "/": () => {
    findBox.focus();
    findBox.select();
  },
  z: () => {
    if (view.selected >= 0) zoomToSpan(view.selected);
  },
  "?": () => element("help").showModal(),
  Escape: () => {
    view.selected = -1;
    startSearch("");
  },
};

function watchPage() {
  addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey || element("help").open) return;
    if (event.target === findBox) {
      if (event.key === "Escape") {
        startSearch("");
        findBox.blur();
      }
      return;
    }
    if (event.target.tagName === "BUTTON" && (event.key === "Enter" || event.key === " ")) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
    redraw();
  });
  findBox.addEventListener("input", () => startSearch(findBox.value));
  element("search").addEventListener("submit", event => {
    event.preventDefault();
    step(1);
  });
  element("previous").addEventListener("click", () => step(-1));
  element("zoom-in").addEventListener("click", () => {
    zoom(0.5);
    redraw();
  });
  element("zoom-out").addEventListener("click", () => {
    zoom(2);
    redraw();
  });
  element("fit").addEventListener("click", () => {
    showAll();
    redraw();
  });
  element("edges").addEventListener("click", () => setEdges(!view.edges));
  element("theme").addEventListener("click", switchTheme);
  element("help-open").addEventListener("click", () => element("help").showModal());
  new ResizeObserver(drawNow).observe(element("stage"));
  addEventListener("hashchange", () => {
    goTo(location.hash);
    redraw();
  });
}

// #from=1.2&to=1.4 (seconds), find=NAME, step=N matches on, select=N, theme=dark|light.
function goTo(hash) {
  const asked = new URLSearchParams(hash.slice(1));
  const number = name => (asked.has(name) ? Number(asked.get(name)) : NaN);
  const from = number("from") * 1e9, to = number("to") * 1e9;
  if (asked.has("theme")) setTheme(asked.get("theme") === "dark" ? "dark" : "light");
  if (from < to) setView(from, to);
  if (asked.has("find")) startSearch(asked.get("find"));
  for (let k = Math.min(number("step"), 1e4); k > 0; k--) findNext(1);
  if (Number.isInteger(number("select")) && number("select") < spans.count)
    select(number("select"));
}

async function start() {
  try {
    await readAll();
    setTheme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    describe();
    showAll();
    watchPage();
    watchPicture();
    watchOverview();
    layOut();
    goTo(location.hash);
    drawNow();
    document.body.dataset.state = "ready";
  } catch (error) {
    document.body.dataset.state = "error";
    notice(`This page cannot be shown: ${error.message}`);
    throw error;
  }
}

start();
