#!/usr/bin/env python3
"""skein timeline: the page in a browser, of recordings of every size and state.

Usage: timeline_test.py SKEIN HAND_MADE
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import browser
from hand_made import SAMPLE, SAMPLE_EDGES, SAMPLE_SLICES, SYSCALL, Script, sample

SKEIN = os.path.abspath(sys.argv[1])
HAND_MADE = os.path.abspath(sys.argv[2])
SYSCALL_BLUE, INTERRUPT_GREEN, SELECTED = (0, 114, 178), (0, 145, 106), (22, 32, 44)
LANES = (110, 170, 1070, 860)  # of the screenshot: below the axis, right of the names

# Events as a user makes them; the pointer is not a real one, so it cannot be captured.
ACTING = """<pre id="left"></pre><script>
const left = [], picture = document.getElementById("picture");
Element.prototype.setPointerCapture = () => {};
window.requestAnimationFrame = draw => setTimeout(draw, 1); // real frames are rare in virtual time
const at = (x, y) => {
  const box = picture.getBoundingClientRect();
  return {clientX: box.left + x, clientY: box.top + y, pointerId: 1, bubbles: true,
          cancelable: true};
};
const point = (type, x, y, shiftKey) =>
  picture.dispatchEvent(new PointerEvent(type, {...at(x, y), shiftKey}));
const hover = x => point("pointermove", x, 60);
const drag = (x0, x1, shift = false, y = 60) => {
  point("pointerdown", x0, y, shift);
  if (x1 !== x0) point("pointermove", x1, y, shift);
  point("pointerup", x1, y, shift);
};
const click = x => drag(x, x);
const wheel = (x, deltaY, shiftKey = false) =>
  picture.dispatchEvent(new WheelEvent("wheel", {...at(x, 60), deltaY, shiftKey}));
const key = name => document.body.dispatchEvent(
  new KeyboardEvent("keydown", {key: name, bubbles: true, cancelable: true}));
const find = text => {
  const box = document.getElementById("find");
  box.value = text;
  box.dispatchEvent(new Event("input"));
};
const wait = () => new Promise(done => setTimeout(done, 100));
async function act() {
  while (document.body.dataset.state !== "ready") await wait();
  for (const step of [%s]) {
    step();
    await wait();
    left.push({...document.body.dataset});
  }
  document.getElementById("left").textContent = JSON.stringify(left);
}
act();
</script></body>"""


def plain(text):
    return text.replace("\u2009", " ")


class Timeline(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.mkdtemp(prefix="skein-timeline-")
        self.addCleanup(shutil.rmtree, self.tmp)
        self.dir = os.path.join(self.tmp, "rec")
        self.out = os.path.join(self.tmp, "out.html")

    def skein(self, *args):
        p = subprocess.run([SKEIN, "timeline", *args], stdin=subprocess.DEVNULL, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        return p.returncode, p.stdout, p.stderr

    def page(self, *args, code=0):
        """Writes the page; what it knows."""
        got, out, err = self.skein("-o", self.out, *args, self.dir)
        self.assertEqual((got, out), (code, ""), err)
        with open(self.out, encoding="utf-8") as f:
            return json.loads(re.search(r'id="facts">(.*?)</script>', f.read()).group(1))

    def look(self, fragment="", **kw):
        body, complaints = browser.look(self.out, "#theme=light" + fragment, **kw)
        self.assertEqual(complaints, [])
        self.assertEqual(body.data.get("state"), "ready", body.text.get("notices"))
        return body

    def numbers(self, body, *names):
        return [int(body.data[name]) for name in names]


class Page(Timeline):
    def test_facts(self):
        sample().write(HAND_MADE, self.dir)
        facts = self.page()
        self.assertEqual((facts["spans"], facts["slices"], facts["instants"]),
                         (len(SAMPLE), SAMPLE_SLICES, 1))
        self.assertEqual(facts["lanes"], ["vCPU 0", "vCPU 1", "devices"])
        for name in facts["names"]:
            mine = [s for s in SAMPLE if s[1] == name["name"]]
            self.assertEqual((name["spans"], name["ns"]), (len(mine), sum(s[4] for s in mine)))
        self.assertEqual((facts["first_ns"], facts["last_ns"]), (1000000, 9000310))

    def test_range(self):
        sample().write(HAND_MADE, self.dir)
        facts = self.page("--from", "0.0030007", "--to", "0.003001")
        self.assertEqual((facts["spans"], facts["first_ns"]), (3, 3000600))
        self.assertTrue(facts["cut_from"] and facts["cut_to"])

    def test_bad_usage(self):
        sample().write(HAND_MADE, self.dir)
        for args in [[self.dir], ["-o", self.out], ["-o", self.out, "a", "b"],
                     ["-o", self.out, "--from", "2", "--to", "1", self.dir],
                     ["-o", self.out, "--from", "soon", self.dir],
                     ["-o", self.out, "--max", "-3", self.dir], ["-o", self.out, "-x", self.dir],
                     ["-o", self.out, self.dir + "no"], ["-o", self.tmp + "/no/such", self.dir]]:
            code, out, err = self.skein(*args)
            self.assertEqual((code, out, len(err.splitlines())), (2, "", 1), err)
        self.assertEqual(os.listdir(self.tmp), ["rec"])

    def test_nothing_from_elsewhere(self):
        sample().write(HAND_MADE, self.dir)
        self.page()
        with open(self.out, encoding="utf-8") as f:
            text = f.read()
        self.assertEqual(re.findall(r"https?:|\bsrc=|@import|url\(", text), [])
        self.assertEqual(re.findall(r'href="([^"]*)"', text), ["data:,"])


@unittest.skipUnless(browser.browser(), "there is no chromium")
class InTheBrowser(Timeline):
    def test_sample(self):
        sample().write(HAND_MADE, self.dir)
        self.page()
        shot = os.path.join(self.tmp, "shot.png")
        body = self.look(screenshot=shot)
        facts = self.numbers(body, "lanes", "spans", "rows", "slices", "instants", "edges")
        self.assertEqual(facts, [3, len(SAMPLE), len(SAMPLE), SAMPLE_SLICES, 1, SAMPLE_EDGES])
        self.assertEqual(body.data["shown"], str(len(SAMPLE)))
        self.assertIn("2 vCPUs · scope kernel · 11 spans in 6 slices", plain(body.text["subtitle"]))
        self.assertIn("complete (stopped)", body.text["subtitle"])
        self.assertNotIn("notices", body.text)
        for name in {s[1] for s in SAMPLE}:
            self.assertIn(name, body.text["panel"])
        seen = browser.colours(shot, *LANES)
        self.assertGreater(len(seen), 20)
        for colour in SYSCALL_BLUE, INTERRUPT_GREEN:
            self.assertIn(colour, seen)

    def test_search_and_details(self):
        sample().write(HAND_MADE, self.dir)
        self.page()
        body = self.look("&find=OpenAt&step=1")
        self.assertEqual(self.numbers(body, "matches", "selected"), [1, 1])
        self.assertEqual(plain(body.text["hits"]), "1 of 1")
        panel = plain(body.text["panel"])
        for word in ["openat", "vCPU 0", "3.000 000 ms", "600 ns", "5 – 7", "1 000", "rip0x401000",
                     "rdi0xffffff9c", "rsi0x7ffc0000beef", "rdx0x8000", "Token to#PF, vCPU 1"]:
            self.assertIn(word, panel)
        body = self.look("&find=write&step=3")  # there are two, so it is the first again
        self.assertEqual(self.numbers(body, "matches", "selected"), [2, 4])
        self.assertEqual(body.text["hits"], "1 of 2")
        body = self.look("&find=nothing+like+it&step=1")
        self.assertEqual(self.numbers(body, "matches", "selected"), [0, -1])
        self.assertEqual(body.text["hits"], "no match")

    def test_zoom(self):
        sample().write(HAND_MADE, self.dir)
        self.page()
        shot = os.path.join(self.tmp, "shot.png")
        body = self.look("&from=0.0030001&to=0.0030005&select=1", screenshot=shot)
        self.assertEqual(self.numbers(body, "from", "to", "shown", "selected"),
                         [3000100, 3000500, 1, 1])
        seen = browser.colours(shot, *LANES)
        self.assertGreater(max(seen.get(c, 0) for c in seen if c[2] > 150 and c[0] < 60), 20000)
        self.assertIn(SELECTED, seen)

    def test_no_slices(self):
        Script(1).write(HAND_MADE, self.dir)
        self.page()
        shot = os.path.join(self.tmp, "shot.png")
        body = self.look("&find=x&step=1&select=0", screenshot=shot)
        self.assertEqual(self.numbers(body, "lanes", "spans", "shown", "selected"), [2, 0, 0, -1])
        self.assertIn("there are no slices", body.text["panel"])
        seen = browser.colours(shot, *LANES)
        self.assertGreater(seen[(255, 255, 255)], 0.95 * sum(seen.values()))

    def test_many_vcpus_incomplete(self):
        s = Script(64)
        for n in range(2000):
            s.token(n % 64, 100 * (n // 64))
            s.entry(n % 64, SYSCALL, 0, 100 * (n // 64), rax=n % 300)
            s.mark(n % 64, 100 * (n // 64) + 100)
        s.write(HAND_MADE, self.dir, how="torn", hz=0)
        self.page(code=3)
        body = self.look("&select=1999")
        self.assertEqual(self.numbers(body, "lanes", "spans", "selected"), [65, 2000, 1999])
        self.assertIn("incomplete", body.text["notices"])
        self.assertIn("counted in instructions", body.text["notices"])
        self.assertIn("vCPU 15", body.text["panel"])

    def test_too_many_spans(self):
        sample().write(HAND_MADE, self.dir)
        facts = self.page("--max", "10")
        self.assertFalse(facts["has_rows"])
        shot = os.path.join(self.tmp, "shot.png")
        body = self.look("&find=write&step=1&select=3", screenshot=shot)
        self.assertEqual(self.numbers(body, "spans", "rows", "instants"), [11, 0, 1])
        self.assertIn("--from and --to", body.text["notices"])
        seen = browser.colours(shot, *LANES)
        for colour in SYSCALL_BLUE, INTERRUPT_GREEN:
            self.assertIn(colour, seen)
        self.assertIn("more than 10 spans", self.skein("-o", self.out, "--max", "10", self.dir)[2])
        self.assertTrue(self.page("--max", "11")["has_rows"])

    def act(self, *steps):
        """Does these things in the page, one after the other; what each left in the body's data."""
        with open(self.out, encoding="utf-8") as f:
            page = f.read()
        acting = os.path.join(self.tmp, "acting.html")
        with open(acting, "w", encoding="utf-8") as f:
            f.write(page.replace("</body>", ACTING % ",\n".join("() => {%s}" % s for s in steps)))
        body, complaints = browser.look(acting, "#theme=light")
        self.assertEqual(complaints, [])
        return json.loads(body.text["left"]), body

    def test_pointer_and_keys(self):
        sample().write(HAND_MADE, self.dir)
        self.page()
        left, _ = self.act(
            "", "wheel(600, -800)", "key('f')", "wheel(600, 300, true)", "key('f')",
            "drag(700, 500)", "key('f')", "drag(400, 700, true)", "key('f')", "key('e')",
            "key('w')", "key('d')", "key('a')", "key('s')")
        (whole, nearer, again, aside, _, dragged, _, marked, last, edgeless, *steps) = left

        def width(data):
            return int(data["to"]) - int(data["from"])

        self.assertLess(width(nearer), width(whole) * 0.4)
        self.assertEqual((again["from"], again["to"]), (whole["from"], whole["to"]))
        self.assertEqual(width(aside), width(whole))
        self.assertGreater(int(aside["from"]), int(whole["from"]))
        self.assertGreater(int(dragged["to"]), int(whole["to"]))
        self.assertAlmostEqual(width(marked) / width(whole), 300 / (1400 - 324 - 104), delta=0.01)
        self.assertEqual((last["edges"], edgeless["edges"]), (str(SAMPLE_EDGES), "0"))
        near, right, back, out = steps
        self.assertAlmostEqual(width(near) / width(out), 0.7, delta=0.01)
        self.assertGreater(int(right["from"]), int(near["from"]))
        self.assertLessEqual(abs(int(back["from"]) - int(near["from"])), 1)

    def test_selecting(self):
        sample().write(HAND_MADE, self.dir)
        self.page()
        left, body = self.act(
            "location.hash = '#from=0.0030001&to=0.0030005'", "click(600)", "key(']')",
            "key('[')", "key('[')", "key('Escape')", "find('write')", "key('n')", "key('n')",
            "key('N')", "key('t')", "click(600); hover(600)")
        self.assertEqual([int(d["selected"]) for d in left],
                         [-1, 1, 4, 1, 0, -1, -1, 4, 6, 4, 4, 4])
        self.assertEqual([int(d["matches"]) for d in left], [0] * 6 + [2] * 6)
        self.assertIn("write300 ns", plain(body.text["tip"]))
        self.assertIn("slice 4", plain(body.text["tip"]))

    def test_odd_names(self):
        self.dir = os.path.join(self.tmp, "</script><script>alert(1)<!--")
        os.makedirs(os.path.dirname(self.dir))
        sample().write(HAND_MADE, self.dir)
        self.page()
        body = self.look()
        self.assertEqual(body.text["title"], "script><script>alert(1)<!--")

    def test_a_page_cut_short(self):
        sample().write(HAND_MADE, self.dir)
        self.page()
        with open(self.out, encoding="utf-8") as f:
            text = f.read()
        with open(self.out, "w", encoding="utf-8") as f:
            f.write(re.sub(r'(id="rows">.{20}).*?<', r"\1<", text))
        body, complaints = browser.look(self.out)
        self.assertEqual(body.data["state"], "error")
        self.assertIn("cannot be shown", body.text["notices"])
        self.assertTrue(complaints)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
