// The panel at the right: what is selected, or what took the time.

const panel = document.getElementById("panel");

function make(tag, attributes = {}, ...children) {
  const {style, onclick, ...rest} = attributes;
  const element = Object.assign(document.createElement(tag), rest);
  if (style) element.style.cssText = style;
  if (onclick) element.addEventListener("click", onclick);
  element.append(...children);
  return element;
}

const swatch = type => make("i", {className: "swatch", style: `background: var(--type-${type})`});
const link = (text, onclick) => make("button", {type: "button", className: "link", onclick}, text);
const mono = text => make("span", {className: "mono"}, text);

function pairs(list) {
  const out = make("dl", {className: "pairs"});
  for (const [name, ...values] of list) out.append(make("dt", {}, name), make("dd", {}, ...values));
  return out;
}

const hex = big => `0x${big.toString(16)}`;

// A register: in hexadecimal, and as the number it may be.
function register(big) {
  const signed = BigInt.asIntN(64, big);
  const small = signed > -65536n && signed < 1n << 20n && (signed > 9n || signed < 0n);
  return small ? [mono(hex(big)), " ", make("small", {}, String(signed))] : [mono(hex(big))];
}

const nameOf = i => facts.names[spans.name[i]].name;
const spanLink = i => link(`${nameOf(i)}, ${facts.lanes[spans.lane[i]]}`, () => select(i));
const range = (a, b) => (a === b ? count(a) : `${count(a)} – ${count(b)}`);

function where(i) {
  const list = [
    ["Lane", facts.lanes[spans.lane[i]]],
    ["Begins", moment(spans.begin[i])],
    ["Takes", duration(spans.end[i] - spans.begin[i])],
    [
      "Slice", count(spans.slice[i]),
      spans.flags[i] & OPENS_SLICE ? "" : make("small", {}, " (goes on)")
    ],
    ["Ticks", range(spans.tick[i], spans.lastTick[i])],
  ];
  if (spans.lane[i] + 1 < laneCount)
    list.push(["icount", count(spans.icount[i])], ["Instructions", count(spans.instructions[i])]);
  list.push(["Log", plural(spans.bytes[i], "byte")]);
  if (edgeFrom(i) >= 0) list.push(["Token from", spanLink(edgeFrom(i))]);
  if (i + 1 < spans.count && edgeFrom(i + 1) === i) list.push(["Token to", spanLink(i + 1)]);
  return pairs(list);
}

function entered(i) {
  const d = details(i), type = typeOf(i);
  if (!d) return [];
  const list = [];
  if (d.rip) list.push(["rip", mono(hex(d.rip))]);
  if (type !== 1) list.push(["Vector", mono(`0x${d.vector.toString(16)}`)]);
  if (type === 2) list.push(["Error code", mono(hex(d.error))]);
  if (type === 2 && d.cr2) list.push(["cr2", mono(hex(d.cr2))]);
  const out = list.length ? [make("h3", {}, "From user mode"), pairs(list)] : [];
  if (type !== 1) return out;
  out.push(make("h3", {}, "Arguments"));
  if (d.registers.length)
    out.push(pairs(d.registers.map(([name, value]) => [name, ...register(value)])));
  if (d.registers.length < REGISTERS.length)
    out.push(make(
        "p", {className: "note"},
        d.registers.length ? "Registers that are not here were as the kernel had left them." :
                             "All registers were as the kernel had left them."));
  return out;
}

function neighbour(i, step) {
  const list = spans.ofLane[spans.lane[i]];
  return list[placeInLane(list, i) + step];
}

function showSelected(i) {
  const name = facts.names[spans.name[i]];
  const step = (text, title, by) => make(
      "button", {
        type: "button",
        title,
        disabled: neighbour(i, by) === undefined,
        onclick: () => select(neighbour(i, by))
      },
      text);
  panel.replaceChildren(
      make("h2", {}, swatch(name.type), name.name),
      make(
          "p", {className: "note"}, `${facts.types[name.type]} · one of `,
          link(count(name.spans), () => startSearch(name.name))),
      where(i), ...entered(i),
      make(
          "div", {className: "row"},
          make(
              "button", {
                type: "button",
                title: "Zoom to it (Z)",
                onclick: () => {
                  zoomToSpan(i);
                  redraw();
                }
              },
              "Zoom to it"),
          step("‹ Before", "The one before on this lane ([)", -1),
          step("After ›", "The one after on this lane (])", 1)));
}

// Names that two tables of system calls share are one.
function sums() {
  const byName = new Map();
  for (const n of facts.names) {
    const sum = byName.get(n.name) || {name: n.name, type: n.type, spans: 0, ns: 0};
    sum.spans += n.spans;
    sum.ns += n.ns;
    byName.set(n.name, sum);
  }
  return [...byName.values()].filter(s => s.spans).sort((a, b) => b.ns - a.ns || b.spans - a.spans);
}

function sumRows(list) {
  const most = list.length ? Math.max(list[0].ns, 1) : 1;
  return list.flatMap(
      s =>
          [make(
               "tr", {},
               make(
                   "td", {},
                   make(
                       "div", {className: "name"}, swatch(s.type),
                       Object.assign(link(s.name, () => startSearch(s.name)), {title: s.name}))),
               make("td", {}, count(s.spans)), make("td", {}, duration(s.ns))),
           make(
               "tr", {className: "share"},
               make(
                   "td", {colSpan: 3},
                   make("div", {}, make("i", {
                          style: `width: ${100 * s.ns / most}%; background: var(--type-${s.type})`
                        }))))]);
}

function recording() {
  const file = path => path.replace(/.*\//, "");
  const list = [
    ["UUID", mono(facts.uuid)],
    ["Recorded", `${new Date(facts.created_ms).toISOString().slice(0, 19).replace("T", " ")} UTC`]
  ];
  if (facts.kernel) list.push(["Kernel", make("span", {title: facts.kernel}, file(facts.kernel))]);
  if (facts.cmdline) list.push(["Command line", mono(facts.cmdline)]);
  return [make("h3", {}, "Recording"), pairs(list)];
}

function showSums() {
  const all = sums(), listed = all.slice(0, 30);
  const system = facts.scope === "system";
  const what = system ? "with the token" : "of kernel work";
  const user =
      system ? " User mode is part of it: with scope system a system call is no event." : "";
  const busy = all.reduce((sum, s) => sum + s.ns, 0);
  panel.replaceChildren(
      make("h2", {}, "What took the time"),
      make(
          "p", {className: "note"},
          all.length ? `${duration(busy)} ${what} in ${plural(facts.spans, "span")}.${user}` :
                       "Nothing: there are no slices."));
  if (all.length)
    panel.append(make(
        "table", {className: "sums"}, make("colgroup", {}, make("col"), make("col"), make("col")),
        make(
            "thead", {},
            make(
                "tr", {}, make("th", {}, "Name"), make("th", {}, "Spans"), make("th", {}, "Time"))),
        make("tbody", {}, ...sumRows(listed))));
  if (all.length > listed.length)
    panel.append(
        make("p", {className: "note"}, `and ${plural(all.length - listed.length, "name")} more`));
  panel.append(...recording());
}

function drawPanel() {
  if (view.selected >= 0)
    showSelected(view.selected);
  else
    showSums();
}
