// All codes of six 8-bit formats, coloured by magnitude on one scale.

const kPosterFormats = ["e4m3", "e4m3fnuz", "binary8p4se", "e5m2", "e5m2fnuz", "binary8p3se"];
// Sequential and readable with every kind of colour vision: lightness falls steadily.
const kRamp = [
  [255, 246, 214], [247, 214, 140], [226, 165, 92], [186, 112, 92], [128, 72, 106], [64, 44, 92],
  [20, 22, 56]
];

/** The colour of a magnitude between 2^lowest and 2^highest, and whether dark ink is lost on it. */
function magnitude_colour(x, lowest, highest) {
  const place = Math.min(Math.max((Math.log2(Math.abs(x)) - lowest) / (highest - lowest), 0), 1) *
      (kRamp.length - 1);
  const i = Math.min(Math.floor(place), kRamp.length - 2);
  const mix = kRamp[i].map((c, k) => Math.round(c + (kRamp[i + 1][k] - c) * (place - i)));
  return `rgb(${mix.join(" ")})`;
}

class Poster {
  constructor(formats, open) {
    this.formats = kPosterFormats.map((name) => formats.find((f) => f.name === name));
    this.open = open;
    this.lowest = Math.min(...this.formats.map((f) => f.minUlpExponent));
    this.highest = Math.max(...this.formats.map((f) => f.emax));
    this.cells = new Map();
    for (const format of this.formats) $("poster-tables").append(this.#table(format));
    this.#legend();
    this.show(0x48);
  }

  #legend() {
    const stops = kRamp.map((c) => `rgb(${c.join(" ")})`).join(", ");
    $("poster-legend")
        .append(make(
            "div", {class: "ramp"}, power_of_two(this.lowest), make("div", {
              class: "ramp-colours",
              style: `background: linear-gradient(to right, ${stops})`,
              role: "img",
              "aria-label": "Light is small, dark is large, on a scale of octaves"
            }),
            power_of_two(this.highest + 1),
            make("span", {}, "magnitude, the same scale in all six; 0, ∞ and NaN are marked")));
  }

  #table(format) {
    const digits = "0123456789abcdef".split("");
    const rows = digits.map(
        (high, i) => make(
            "tr", {}, make("th", {scope: "row"}, high),
            digits.map((_, j) => this.#cell(format, 16 * i + j))));
    const range = `to ${short_number(format.maxFinite)}`;
    return make(
        "table", {class: "codes", role: "grid", onkeydown: (event) => this.#on_key(event, format)},
        make("caption", {}, format.name, make("span", {}, `bias ${format.bias}, ${range}`)),
        make(
            "thead", {},
            make(
                "tr", {}, make("td", {"aria-hidden": "true"}),
                digits.map((low) => make("th", {scope: "col"}, low)))),
        make("tbody", {}, rows));
  }

  #cell(format, code) {
    const x = format.value(BigInt(code));
    const kind = format.class_of(BigInt(code));
    const mark = {
      NaN: "NaN",
      infinity: x > 0 ? "∞" : "−∞",
      zero: x === 0 && Object.is(x, -0) ? "−0" : "0"
    }[kind] ??
        "";
    const cell = make(
        "td", {
          role: "gridcell",
          tabindex: code === 0x48 ? 0 : -1,
          class: kind.toLowerCase(),
          "data-code": code,
          "aria-label": `${format.hex(BigInt(code))}: ${value_text(x)}`,
          onmouseenter: () => this.show(code),
          onfocus: () => this.#focus(format, code),
          onclick: () => cell.focus(),
          ondblclick: () => this.open(format, BigInt(code))
        },
        mark);
    if (kind === "normal" || kind === "subnormal")
      cell.style.background = magnitude_colour(x, this.lowest, this.highest);
    this.cells.set(`${format.name} ${code}`, cell);
    return cell;
  }

  #focus(format, code) {
    for (let other = 0; other < 256; ++other) {
      this.cells.get(`${format.name} ${other}`).tabIndex = other === code ? 0 : -1;
    }
    this.show(code);
  }

  #on_key(event, format) {
    const code = Number(event.target.dataset.code);
    if (Number.isNaN(code)) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.open(format, BigInt(code));
      return;
    }
    const next = {
      ArrowLeft: code - 1,
      ArrowRight: code + 1,
      ArrowUp: code - 16,
      ArrowDown: code + 16,
      Home: code & 0xf0,
      End: code | 0x0f
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.cells.get(`${format.name} ${next}`)?.focus();
  }

  /** One code in all six formats. */
  show(code) {
    for (const format of this.formats) {
      this.cells.get(`${format.name} ${this.shown ?? code}`).classList.remove("same");
      this.cells.get(`${format.name} ${code}`).classList.add("same");
    }
    this.shown = code;
    const hex = `0x${code.toString(16).padStart(2, "0")}`;
    const bits = code.toString(2).padStart(8, "0");
    $("poster-readout")
        .replaceChildren(make(
            "dl", {class: "same-code"},
            make(
                "div", {}, make("dt", {}, "code"),
                make(
                    "dd", {}, make("strong", {class: "mono", id: "poster-code"}, hex), " ",
                    make("span", {class: "mono aside"}, bits))),
            this.formats.map(
                (format) => make(
                    "div", {}, make("dt", {}, format.name),
                    make(
                        "dd", {"data-format": format.name},
                        value_text(format.value(BigInt(code))))))));
  }
}
