"""The page in a headless browser: every figure is operated, and says what the command says."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from oracles import BINARY, TENSORS, Report, floats, p3109_value, read_tables, reference_values, write_page

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    print("skipped: no playwright here")
    sys.exit(77)
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    print("skipped: no chromium here")
    sys.exit(77)

report = Report()
SIZES = [(360, 740), (768, 1024), (1440, 900)]
TYPED = ["1.3", "-1.3", "1.0625", "1.06250000000000000000000001", "1.06249999999999999999999999", "0", "-0",
         "464", "464.00000000000000000001", "-464.1", "61440", "61439.9999999999999999999", "1e-5", "-1e-30",
         "0.0009765625", "0.00097656250000000000001", "3.5", "5", "7", "1e40", "inf", "-inf", "nan",
         "5.877471754111438e-39", "65519.99999999999999999", "65520", "0.1", "240.5", "1.5e38", "2.6e38"]

# Where the two rules for overflow part ways; elsewhere one of them is enough.
BEYOND = ["464.00000000000000000001", "-464.1", "61440", "1e40", "inf", "-inf", "nan", "7"]


def cli_code(value: str, name: str, overflow: str) -> int:
    done = subprocess.run([BINARY, "bits", value, "--format", name, "--overflow", overflow],
                          capture_output=True, text=True, check=True)
    return int(re.search(r"^code\s+(0x[0-9a-f]+)", done.stdout, re.MULTILINE).group(1), 16)


def cli_fields(code: int, name: str) -> dict:
    text = subprocess.run([BINARY, "bits", "--code", hex(code), "--format", name],
                          capture_output=True, text=True, check=True).stdout
    fields = dict(re.findall(r"^(code|class|value|ulp|above|below)\s+(\S+)", text, re.MULTILINE))
    return fields


def choose(page, name: str):
    page.select_option("#explorer-format", name)


def code_of(page, selector: str) -> int:
    return int(page.inner_text(selector), 16)


def check_rounding(page, names: list):
    for name in names:
        choose(page, name)
        for overflow, numbers in (("special", TYPED), ("saturate", BEYOND)):
            page.check(f"input[name=explorer-overflow][value={overflow}]")
            for text in numbers:
                page.fill("#explorer-number", text)
                report.equal(f"{text} in {name}, {overflow}", code_of(page, "#cast-code"),
                             cli_code(text, name, overflow))
    page.check("input[name=explorer-overflow][value=saturate]")


def check_platform_formats(page):
    """fp32 and fp64 are the browser's; tf32 says why it does not round."""
    for name, text, code in (("fp32", "0.1", 0x3DCCCCCD), ("fp32", "1/10", 0x3DCCCCCD), ("fp64", "5e-324", 1), ("fp32", "-inf", 0xFF800000), ("fp64", "0.1", 0x3FB999999999999A)):
        choose(page, name)
        page.fill("#explorer-number", text)
        report.equal(f"{text} in {name}", code_of(page, "#cast-code"), code)
    choose(page, "tf32")
    report.true("tf32 explains itself", "tf32" in page.inner_text("#explorer-verdict"))
    for name, bit, value in (("tf32", 0, "0.0009765625"), ("fp32", 3, "8"), ("fp64", 1, "2")):
        choose(page, name)
        report.true(f"{name} has its bits", page.locator("#explorer-bits button").count() in (19, 32, 64))


def compare_code(page, name: str, code: int):
    want = cli_fields(code, name)
    kind = {"Inf": "infinity"}.get(want["class"], want["class"])
    report.equal(f"{name} {code:#x}: code", code_of(page, "#fact-code"), code)
    report.equal(f"{name} {code:#x}: class", page.inner_text("#fact-class").lower(), kind.lower())
    value = page.inner_text("#fact-value").replace("−", "-").replace("∞", "inf")
    report.equal(f"{name} {code:#x}: value", value.lower(), want["value"].lower())
    for side, where in (("above", "#fact-up"), ("below", "#fact-down")):
        if side in want:
            shown = page.inner_text(where).split()
            report.equal(f"{name} {code:#x}: {side}", shown[-1], want[side])


def check_bits(page):
    """Flip every bit by click, then walk with the keyboard."""
    for name in ("e4m3", "e5m2", "e4m3fnuz", "e2m1", "bf16"):
        choose(page, name)
        page.fill("#explorer-number", "1.5")
        page.click("#cast-show")
        buttons = page.locator("#explorer-bits button")
        code = cli_code("1.5", name, "saturate")
        compare_code(page, name, code)
        for i in range(buttons.count()):
            buttons.nth(i).click()
            code ^= 1 << (buttons.count() - 1 - i)
            compare_code(page, name, code)
    choose(page, "e4m3")
    page.fill("#explorer-number", "1.5")
    page.click("#cast-show")
    page.locator("#explorer-bits button").first.focus()
    for key, code in (("ArrowRight", 0x3C), ("Space", 0x7C), ("ArrowUp", 0x7D), ("ArrowUp", 0x7E), ("ArrowUp", 0x7E),
                      ("End", 0x7E), ("Space", 0x7F), ("ArrowDown", 0x7F), ("Home", 0x7F), ("Enter", 0xFF)):
        page.keyboard.press(key)
        report.equal(f"key {key}", code_of(page, "#fact-code"), code)
    report.equal("pressed state", page.locator("#explorer-bits button").first.get_attribute("aria-pressed"), "true")


def check_scale(page):
    choose(page, "e4m3")
    page.fill("#explorer-number", "1.3")
    page.click("#cast-show")
    slider = page.locator("#scale-exponent")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    report.equal("scale code", page.input_value("#scale-exponent"), "-1")
    report.true("E8M0 code", "0x7e" in page.inner_text("#scale-value"))
    report.equal("1.25 times 2^-1", page.inner_text("#scale-product"), "0.625")
    report.equal("1.3 / 2^-1 = 2.6", code_of(page, "#scale-code"), cli_code("2.6", "e4m3", "saturate"))
    report.equal("reads back", page.inner_text("#scale-back"), "1.25")
    page.check("input[name=scale-kind][value=fp32]")
    report.true("FP32 code", "0x3f000000" in page.inner_text("#scale-value"))
    page.keyboard.press("Tab")
    slider.focus()
    page.keyboard.press("Home")
    report.true("the smallest normal FP32", "0x00800000" in page.inner_text("#scale-value"))


def check_poster(page):
    tables = page.locator("#poster-tables table")
    report.equal("posters", tables.count(), 6)
    cells = page.eval_on_selector_all("#poster-tables td[data-code]", "nodes => nodes.map(n => n.getAttribute('aria-label'))")
    report.equal("cells", len(cells), 6 * 256)
    names = page.eval_on_selector_all("#poster-tables caption", "nodes => nodes.map(n => n.firstChild.textContent)")
    for i, name in enumerate(names):
        values = [p3109_value(c, int(name[8])) for c in range(256)] if name.startswith("binary") else reference_values(name)
        for code in range(256):
            label = cells[256 * i + code].split(": ")
            got = float(label[1].replace("−", "-").replace("∞", "inf"))
            report.true(f"{name} {code:#04x}: {label}", label[0] == f"0x{code:02x}" and
                        (got == values[code] or (got != got and values[code] != values[code])))
    page.locator("#poster-tables td[data-code='58']").first.hover()
    report.equal("hover", page.inner_text("#poster-code"), "0x3a")
    report.equal("hover in e5m2", page.inner_text("#poster-readout [data-format=e5m2]"), "0.75")
    page.locator("#poster-tables table").nth(1).locator("td[data-code='58']").click()
    for key, code in (("ArrowDown", "0x4a"), ("ArrowRight", "0x4b"), ("End", "0x4f"), ("ArrowUp", "0x3f"), ("Home", "0x30")):
        page.keyboard.press(key)
        report.equal(f"poster key {key}", page.inner_text("#poster-code"), code)
    report.equal("one tab stop each", page.locator("#poster-tables td[tabindex='0']").count(), 6)
    page.keyboard.press("Enter")
    report.equal("Enter opens the format", page.input_value("#explorer-format"), names[1])
    report.equal("Enter opens the code", code_of(page, "#fact-code"), 0x30)


def drawn_shares(page) -> list:
    text = page.eval_on_selector_all("#range-chart tspan[class$=-text]", "nodes => nodes.map(n => n.textContent)")
    return text


def share_text(share: float) -> str:
    percent = 100 * share
    if percent == 0:
        return "0 %"
    if percent < 0.005:
        return "< 0.01 %"
    if 99.995 < percent < 100:
        return "> 99.99 %"
    return f"{float(f'{percent:.2f}' if percent < 10 else f'{percent:.1f}'):g} %"


def check_range(page, tensors: dict):
    lowest = tensors["lowestShift"]
    for gemm, name, presses in (("layers.2.mlp.down", "e4m3", 0), ("layers.2.attn.qkv", "e5m2", 9), ("layers.2.attn.o", "e2m1", 3)):
        page.select_option("#range-gemm", gemm)
        page.select_option("#range-format", name)
        page.fill("#range-shift", "0")
        page.focus("#range-shift")
        for _ in range(presses):
            page.keyboard.press("ArrowRight")
        want = []
        for role in ("weight", "input", "output_grad"):
            tensor = next(t for t in tensors["list"] if t["name"] == f"{gemm}.{role}")
            all_of_it = tensor["count"] - tensor["zeros"] - tensor["others"]
            want += [share_text(n / all_of_it) for n in tensor["fates"][name][presses - lowest]]
        report.equal(f"{gemm} in {name}", drawn_shares(page), want)
        report.true("spoken too", all(w in page.inner_text("#range-readout") for w in want))
    before = page.eval_on_selector_all("#range-chart rect", "nodes => nodes.map(n => n.getAttribute('x')).join()")
    page.check("input[name=range-window][value=all]", force=True)
    after = page.eval_on_selector_all("#range-chart rect", "nodes => nodes.map(n => n.getAttribute('x')).join()")
    report.true("the window changes", before != after)
    page.check("input[name=range-window][value=around]", force=True)


def number(text: str) -> float:
    return float(text.replace("−", "-"))


def check_sum(page, sums: list):
    for s in sums:
        page.check(f"input[name=sum-example][value={s['id']}]", force=True)
        report.true(f"{s['id']}: starts hidden", not page.is_visible("#sum-result"))
        cut = [t for t in s["terms"] if t["lostBits"]]
        for phase in range(1, 7):
            page.focus("#sum-step")
            page.keyboard.press("Enter" if phase % 2 else "Space")
            report.true(f"{s['id']}: phase {phase + 1}", page.inner_text("#sum-phase").startswith(f"{phase + 1} of 7"))
        report.equal(f"{s['id']}: D", number(page.inner_text("#sum-result")), s["result"])
        report.equal(f"{s['id']}: exact", number(page.inner_text("#sum-exact")), s["exact"])
        report.equal(f"{s['id']}: promoted", number(page.inner_text("#sum-promoted")), s["promoted"])
        marked = page.eval_on_selector_all("#sum-table tbody tr:not(.total)",
                                           "rows => rows.filter(r => [...r.querySelectorAll('.cut')].some(n => n.textContent === '1')).length")
        report.equal(f"{s['id']}: rows that lose ones", marked, len(cut))
        aligned = page.eval_on_selector_all("#sum-table tbody tr:not(.total) td:last-child", "nodes => nodes.map(n => n.textContent)")
        report.equal(f"{s['id']}: aligned", [number(t) for t in aligned], [float(t["aligned"]) for t in s["terms"] if t["significand"]])
        report.true("Step ends", page.is_disabled("#sum-step"))
        page.click("#sum-back")
        report.true("Back", page.inner_text("#sum-phase").startswith("6 of 7"))
        page.locator("#sum .dots button").first.click()
        report.true("a dot", page.inner_text("#sum-phase").startswith("1 of 7"))


def check_play(page):
    page.click("#sum-play")
    report.equal("playing", page.inner_text("#sum-play"), "Pause")
    page.clock.fast_forward(2700)
    report.true("plays on", page.inner_text("#sum-phase").startswith("2 of 7"))
    page.click("#sum-play")
    page.clock.run_for(9000)
    report.true("pauses", page.inner_text("#sum-phase").startswith("2 of 7"))
    page.click("#sum-play")
    page.clock.run_for(30000)
    report.true("plays to the end", page.inner_text("#sum-phase").startswith("7 of 7"))
    report.equal("and stops", page.inner_text("#sum-play"), "Play")


def check_memory(page):
    for name, bytes_each, total, devices in (("FP32 throughout", "16", "10.74 TB", "135"), ("DeepSeek-V3 as reported", "13", "8.72 TB", "110"),
                                             ("FP8, 128×128 blocks", "1.00024", "671 GB", "9"), ("BF16", "2", "1.34 TB", "17")):
        row = page.locator(".bill tbody tr").filter(has=page.locator("th", has_text=re.compile(f"^{re.escape(name)}(weights|FP8|E4M3)")))
        cells = [c.split()[0] if i != 1 else " ".join(c.split()[:2]) for i, c in enumerate(row.first.locator("td.number").all_inner_texts())]
        report.equal(f"bill of {name}", cells, [bytes_each, total, devices])


def check_names(page):
    """Whatever can be operated has a name, drawings have a description, headings descend by one."""
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, input, select')].filter(n =>
      !(n.getAttribute('aria-label') || n.textContent.trim() || (n.labels && n.labels.length && n.labels[0].textContent.trim())))
      .map(n => n.outerHTML)""")
    report.equal("controls without a name", nameless, [])
    report.equal("drawings without a description", page.evaluate(
        "() => [...document.querySelectorAll('svg')].filter(n => n.getAttribute('role') !== 'img' || !n.getAttribute('aria-label')).length"), 0)
    levels = page.evaluate("() => [...document.querySelectorAll('h1, h2, h3')].map(n => Number(n.tagName[1]))")
    report.true("headings", levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:])))


def contrast(page, selector: str) -> float:
    """WCAG contrast of an element's text against the nearest painted background."""
    return page.evaluate("""selector => {
      const rgb = text => text.match(/[\\d.]+/g).map(Number);
      const luminance = c => c.slice(0, 3).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
      const node = document.querySelector(selector);
      let ground = node;
      while (ground && (rgb(getComputedStyle(ground).backgroundColor)[3] ?? 1) === 0) ground = ground.parentElement;
      const [a, b] = [rgb(getComputedStyle(node).color), rgb(getComputedStyle(ground).backgroundColor)].map(luminance);
      return (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
    }""", selector)


def check_layouts(browser, url: str, errors: list):
    grounds = set()
    for width, height in SIZES:
        for scheme in ("light", "dark"):
            page = open_page(browser, url, errors, viewport={"width": width, "height": height}, color_scheme=scheme)
            where = f"{width} {scheme}"
            report.true(f"{where}: no sideways scrolling", page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
            for name in ("fp64", "bf16"):
                choose(page, name)
                page.fill("#explorer-number", "1e-300" if name == "fp64" else "3e-39")
                page.click("#cast-show")
                report.true(f"{where}: {name} fits", page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
            grounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
            for selector in (".lead", "figcaption", ".try li", ".field.mantissa .field-name", ".intro", "#sum-play", ".segments input:checked + span"):
                report.true(f"{where}: contrast of {selector} is {contrast(page, selector):.2f}", contrast(page, selector) >= 4.5)
            page.close()
    report.equal("two schemes", len(grounds), 2)
    page = open_page(browser, url, errors, reduced_motion="reduce")
    report.equal("no motion", page.evaluate("getComputedStyle(document.querySelector('.bits i')).transitionDuration"), "0s")
    page.emulate_media(media="print")
    report.true("print hides the controls", not page.is_visible("#sum-play"))
    page.close()


def open_page(browser, url: str, errors: list, **options):
    page = browser.new_page(**options)
    page.on("console", lambda m: errors.append(f"{m.type}: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: errors.append(str(e)))
    page.on("request", lambda r: errors.append(f"request {r.url}") if r.url != url else None)
    page.goto(url)
    return page


with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
    path = write_page(pathlib.Path(folder), str(TENSORS))
    tables = read_tables(path)
    errors: list = []
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    page = open_page(browser, path.as_uri(), errors, viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    check_rounding(page, [f["name"] for f in tables["formats"] if "values" in f])
    check_platform_formats(page)
    check_bits(page)
    check_scale(page)
    check_poster(page)
    check_range(page, tables["tensors"])
    check_sum(page, tables["sums"])
    check_memory(page)
    check_names(page)
    page.close()
    page = browser.new_page(reduced_motion="reduce")
    page.clock.install()
    page.goto(path.as_uri())
    check_play(page)
    page.close()
    check_layouts(browser, path.as_uri(), errors)
    bare = open_page(browser, write_page(pathlib.Path(folder), "none").as_uri(), errors)
    report.true("without tensors it says how to add them", "--tensors" in bare.inner_text("#range-caption"))
    report.equal("and draws the formats", bare.locator("#range-chart .name").count(), len(tables["formats"]))
    browser.close()
    report.equal("errors and requests", errors, [])
report.finish(least=2200)
