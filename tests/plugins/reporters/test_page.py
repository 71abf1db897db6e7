"""The report as a browser shows it: nothing clipped, nothing overlapping, every picture loaded, enough contrast."""

import html
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

import armour_core as armour

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

LOOK = """
<script>
addEventListener("load", () => {
  const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const rgba = text => { const n = text.match(/[\\d.]+/g).map(Number); return n.length < 4 ? [...n, 1] : n; };
  const behind = e => {
    for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 0.99) return c; }
    return [255, 255, 255, 1];
  };
  const visible = e => e.checkVisibility() && !e.closest(".hidden, thead") && e.getClientRects().length;
  const texts = [...document.body.querySelectorAll("*")].filter(e => visible(e) && !e.closest("svg") &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  const low = texts.map(e => {
    const a = light(rgba(getComputedStyle(e).color)), b = light(behind(e));
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent.trim().slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
  const wide = document.documentElement.clientWidth;
  const out = texts.filter(e => { const r = e.getBoundingClientRect(); return r.right > wide + 1 || r.left < -1; });
  const clipped = texts.filter(e => e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display !== "inline");
  const boxes = [...document.querySelectorAll(".curve > svg text")].map(t => [t, t.getBoundingClientRect()]);
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
  const over = [];
  boxes.forEach(([t, a], i) => boxes.slice(i + 1).forEach(([u, b]) => {
    if (meet(a, b)) over.push([t.textContent, u.textContent]);
  }));
  const plot = document.querySelector(".curve > svg").getBoundingClientRect();
  const beyond = b => b.left < plot.left - 1 || b.right > plot.right + 1 || b.bottom > plot.bottom + 1;
  const outside = boxes.filter(([t, b]) => beyond(b));
  const name = e => e.tagName + " " + e.textContent.trim().slice(0, 40);
  parent.postMessage(JSON.stringify({
    sideways: document.documentElement.scrollWidth > wide, low, out: out.map(name), clipped: clipped.map(name), over,
    outside: outside.map(([t]) => t.textContent), texts: texts.length, pictures: window.pictures, wide,
    dark: matchMedia("(prefers-color-scheme: dark)").matches,
  }), "*");
});
window.pictures = [];
addEventListener("DOMContentLoaded", () => document.querySelectorAll("img").forEach(i =>
  i.addEventListener("load", () => pictures.push(i.naturalWidth))));
</script>
"""


FRAME = """<!doctype html><meta name="color-scheme" content="light dark"><pre id=seen></pre>
<script>addEventListener("message", told => { document.getElementById("seen").textContent = told.data; });</script>
<iframe src="%s" width="%d" height="2000" style="border: 0"></iframe>
"""  # a window cannot be as narrow as a phone, a frame can


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report of a real scan, with a script that looks at the layout in place of the policy that forbids scripts."""
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((64, 4))
    x = rng.uniform(0, 1, (60, 8, 8)).astype(np.float32)
    net = armour.wrap(lambda x: x.reshape(len(x), -1) @ weights - weights.sum(0) / 2, backend="numpy")
    y = (x.reshape(60, -1) @ weights - weights.sum(0) / 2).argmax(1)
    out = tmp_path_factory.mktemp("page")
    armour.scan(net, (x, y), threat="linf:8/255", out=out, fail_on=["robust_accuracy<0.4", "clean_accuracy<0.9"])
    source = (out / "report.html").read_text()
    looked = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', LOOK.replace("\\", r"\\"), source)
    assert looked != source
    (out / "looked.html").write_text(looked)
    return out / "looked.html"


def chromium(*options):
    command = [CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def look(page, profile, width, dark=False):
    """What the script in the page saw."""
    frame = page.with_name(f"frame_{width}.html")
    frame.write_text(FRAME % (page.as_uri(), width))
    done = chromium(
        f"--user-data-dir={profile}",
        "--window-size=1400,2000",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}",
        "--virtual-time-budget=3000",
        "--dump-dom",
        frame.as_uri(),
    )
    match = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
    assert match, done.stderr[-500:]
    return json.loads(html.unescape(match[1]))


@pytest.mark.parametrize("width", [1280, 700, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_everything_is_visible_at_every_width_and_in_the_dark(page, tmp_path, width, dark):
    seen = look(page, tmp_path, width, dark)
    assert (seen["dark"], seen["wide"]) == (dark, width)
    assert seen["texts"] > 100
    assert seen["pictures"]
    assert all(width > 0 for width in seen["pictures"])
    assert {key: seen[key] for key in ("sideways", "low", "out", "clipped", "over", "outside")} == {
        "sideways": False, "low": [], "out": [], "clipped": [], "over": [], "outside": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("style", "key"),
    [
        (".quiet { color: #bbb }", "low"),
        ("pre { white-space: pre; width: 200rem }", "sideways"),
        (".lead { margin-left: -60rem }", "out"),
        (".tile .name { width: 2rem; white-space: nowrap; overflow: hidden }", "clipped"),
        (".tick { font-size: 60px }", "over"),
        (".label { font-size: 90px }", "outside"),
    ],
)
def test_the_look_sees_what_is_wrong(page, tmp_path, style, key):
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(page.read_text().replace("</style>", f"{style}</style>"))
    assert look(spoilt, tmp_path / "profile", 390)[key]


def test_it_prints(page, tmp_path):
    target = tmp_path / "report.pdf"
    original = page.with_name("report.html")
    chromium(f"--user-data-dir={tmp_path}", "--no-pdf-header-footer", f"--print-to-pdf={target}", original.as_uri())
    assert target.read_bytes()[:5] == b"%PDF-"
    assert target.stat().st_size > 20_000
