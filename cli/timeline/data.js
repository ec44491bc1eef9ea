// What skein packed into the page (cli/timeline_rows.h).

const facts = JSON.parse(document.getElementById("facts").textContent);
const laneCount = facts.lanes.length;
const typeCount = facts.types.length;
const OPENS_SLICE = 1, ENTERED = 2, FOLLOWS = 4;
const REGISTERS = ["rdi", "rsi", "rdx", "r10", "r8", "r9"];

async function unpack(id) {
  const element = document.getElementById(id);
  const text = element.textContent;
  element.remove();
  if (!text) return new Uint8Array(0);
  const packed = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Reads numbers of 7 bits to a byte.
class Numbers {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }
  next() {
    let value = 0, unit = 1, byte;
    do {
      if (this.at >= this.bytes.length) throw new Error("the page's data ends too early");
      byte = this.bytes[this.at++];
      value += (byte & 127) * unit;
      unit *= 128;
    } while (byte > 127);
    return value;
  }
  // Of 64 bits, which a JavaScript number cannot hold.
  nextBig() {
    let value = 0n, shift = 0n, byte;
    do {
      if (this.at >= this.bytes.length) throw new Error("the page's data ends too early");
      byte = this.bytes[this.at++];
      value |= BigInt(byte & 127) << shift;
      shift += 7n;
    } while (byte > 127);
    return value;
  }
}

// Spans, by number in order of time; ofLane: their numbers, lane by lane.
const spans = {
  count: 0,
  lane: null,
  name: null,
  flags: null,
  begin: null,
  end: null,
  slice: null,
  tick: null,
  lastTick: null,
  icount: null,
  instructions: null,
  bytes: null,
  details: null,
  ofLane: [],
  packed: null,
};
const instants = {
  count: 0,
  lane: null,
  name: null,
  ns: null,
  tick: null,
  icount: null
};
const bins = {
  ...facts.bins,
  busy: [],
  began: []
};

function readRows(bytes) {
  const n = facts.has_rows ? facts.spans : 0;
  const input = new Numbers(bytes);
  const ticks = new Array(laneCount).fill(0);
  let ns = 0, slice = 0;
  spans.count = n;
  spans.packed = bytes;
  spans.lane = new Uint8Array(n);
  spans.name = new Uint16Array(n);
  spans.flags = new Uint8Array(n);
  spans.details = new Uint32Array(n);
  spans.bytes = new Uint32Array(n);
  for (const column of ["begin", "end", "slice", "tick", "lastTick", "icount", "instructions"])
    spans[column] = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const lane = spans.lane[i] = input.next();
    spans.name[i] = input.next();
    spans.flags[i] = input.next();
    ns = spans.begin[i] = ns + input.next();
    ns = spans.end[i] = ns + input.next();
    slice = spans.slice[i] = slice + input.next();
    const tick = spans.tick[i] = ticks[lane] + input.next();
    ticks[lane] = spans.lastTick[i] = tick + input.next();
    spans.icount[i] = input.next();
    spans.instructions[i] = input.next();
    spans.bytes[i] = input.next();
    const length = input.next();
    spans.details[i] = length ? input.at : 0;
    input.at += length;
  }
}

function sortByLane() {
  const counts = new Uint32Array(laneCount);
  for (let i = 0; i < spans.count; i++) counts[spans.lane[i]]++;
  spans.ofLane = Array.from(counts, n => new Uint32Array(n));
  counts.fill(0);
  for (let i = 0; i < spans.count; i++) {
    const lane = spans.lane[i];
    spans.ofLane[lane][counts[lane]++] = i;
  }
}

function readInstants(bytes) {
  const n = facts.has_instants ? facts.instants : 0;
  const input = new Numbers(bytes);
  let ns = 0;
  instants.count = n;
  instants.lane = new Uint8Array(n);
  instants.name = new Uint16Array(n);
  for (const column of ["ns", "tick", "icount"]) instants[column] = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    instants.lane[i] = input.next();
    instants.name[i] = input.next();
    ns = instants.ns[i] = ns + input.next();
    instants.tick[i] = input.next();
    instants.icount[i] = input.next();
  }
}

function readBins(bytes) {
  const input = new Numbers(bytes);
  for (let lane = 0; lane < laneCount; lane++) {
    bins.busy.push([]);
    for (let type = 0; type < typeCount; type++)
      bins.busy[lane].push(Float64Array.from({length: bins.count}, () => input.next()));
    bins.began.push(Float64Array.from({length: bins.count}, () => input.next()));
  }
}

async function readAll() {
  readRows(await unpack("rows"));
  sortByLane();
  readInstants(await unpack("instants"));
  readBins(await unpack("bins"));
}

const nameTypes = Uint8Array.from(facts.names, n => n.type);
const typeOf = i => nameTypes[spans.name[i]];

// How a span was entered; null: it goes on with what its vCPU was in.
function details(i) {
  if (!spans.details[i]) return null;
  const input = new Numbers(spans.packed, spans.details[i]);
  const out = {
    vector: input.next(),
    error: input.nextBig(),
    cr2: input.nextBig(),
    rip: input.nextBig(),
    registers: []
  };
  const mask = input.next();
  for (let r = 0; r < REGISTERS.length; r++)
    if (mask >> r & 1) out.registers.push([REGISTERS[r], input.nextBig()]);
  return out;
}

// The first place in a sorted list of numbers of spans whose `column` is above `value`.
function firstAbove(list, column, value) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (column[list[middle]] > value)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

// Where a span's number stands in its lane's list.
function placeInLane(list, i) {
  let low = 0, high = list.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (list[middle] >= i)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

function firstInstantAfter(ns) {
  let low = 0, high = instants.count;
  while (low < high) {
    const middle = low + high >> 1;
    if (instants.ns[middle] > ns)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}
