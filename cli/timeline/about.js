// What recording this is, and what must be known about it.

const element = id => document.getElementById(id);

function notice(text) { element("notices").append(make("p", {}, text)); }

function describe() {
  const short = facts.title.replace(/\/+$/, "").replace(/.*\//, "") || facts.title;
  document.title = `${short} – Skein timeline`;
  element("title").textContent = short;
  element("title").title = facts.title;
  const how = facts.complete ? `complete (${facts.end})` : "incomplete";
  element("subtitle").textContent = [
    plural(laneCount - 1, "vCPU"), `scope ${facts.scope}`,
    `${plural(facts.spans, "span")} in ${plural(facts.slices, "slice")}`,
    plural(facts.events, "event"), how
  ].join(" · ");
  for (const s of sums()) element("names").append(make("option", {value: s.name}));
  facts.types.forEach((name, t) => element("legend").append(make("li", {}, swatch(t), name)));
  if (facts.damaged)
    notice("Parts of the recording are damaged: what was in them is missing here.");
  else if (!facts.complete)
    notice("The recording is incomplete: this goes as far as it does.");
  if (!facts.timed)
    notice(
        "The recording does not say how fast its clock ran: " +
        "time is counted in instructions, one nanosecond each.");
  if (facts.cut_from || facts.cut_to)
    notice(`A part of the recording: ${
        facts.spans ? `${moment(facts.first_ns)} to ${moment(facts.last_ns)}` :
                      "nothing is in it"}.`);
  if (!facts.has_rows) {
    notice(
        `${count(facts.spans)} spans are more than the ${
            count(facts.max)} that this page keeps one by one: the lanes show how busy each was. ` +
        "Write a part of it with --from and --to to see each.");
    findBox.disabled = true;
    findBox.placeholder = "No search without spans";
  }
}
