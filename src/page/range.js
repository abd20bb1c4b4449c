// The reach of every format above the magnitudes of one layer, and the ruler of the masthead.

const kAround = {
  lowest: -56,
  highest: 26
};
const kEverything = {
  lowest: -154,
  highest: 134
};
const kRoles = {
  weight: "weights",
  input: "inputs",
  output_grad: "output gradients"
};

function draw_ruler(formats) {
  const format = formats.find((f) => f.name === "e4m3");
  const numbers = Array.from(format.values).filter((x) => x > 0 && Number.isFinite(x));
  const lowest = format.minUlpExponent;
  const highest = format.emax + 1;
  on_width($("ruler"), (width) => {
    const x = (value) => 1 + (Math.log2(value) - lowest) / (highest - lowest) * (width - 2);
    const every = width < 620 ? 3 : 1;
    const height = 92;
    const drawing = svg("svg", {
      viewBox: `0 0 ${width} ${height}`,
      height,
      role: "img",
      "aria-label": "A ruler with a tick for each positive number of E4M3: 8 in each octave, " +
          "fewer and fewer below two to the minus six, 7 in the last"
    });
    drawing.append(svg("line", {x1: 0, x2: width, y1: 64, y2: 64, class: "axis"}));
    for (const value of numbers) {
      const exponent = Math.log2(value);
      const whole = Number.isInteger(exponent);
      const subnormal = value < format.minNormal;
      drawing.append(svg("line", {
        x1: x(value),
        x2: x(value),
        y1: 64,
        y2: whole ? 14 : 34,
        style: `stroke: var(--${
            subnormal ? "mantissa" :
                whole ? "accent" :
                        "ink"})`,
        "stroke-width": whole ? 1.8 : 1
      }));
      const anchor = exponent === lowest ? "start" : "middle";
      if (whole && (exponent - lowest) % every === 0) {
        drawing.append(
            text_at(x(value), 84, power_of_two(exponent), {"text-anchor": anchor, class: "quiet"}));
      }
    }
    $("ruler").replaceChildren(drawing);
  });
}

/** The tensors of a file in groups of one GEMM: [[gemm, [tensor, ...]], ...]. */
function group_tensors(list) {
  const groups = new Map();
  for (const tensor of list) {
    const cut = tensor.name.lastIndexOf(".");
    const gemm = cut < 0 ? tensor.name : tensor.name.slice(0, cut);
    const role = cut < 0 ? "values" : tensor.name.slice(cut + 1);
    if (!groups.has(gemm)) groups.set(gemm, []);
    groups.get(gemm).push(
        {...tensor, role: kRoles[role] ?? role, order: Object.keys(kRoles).indexOf(role)});
  }
  for (const members of groups.values()) members.sort((a, b) => a.order - b.order);
  return groups;
}

class RangeFigure {
  constructor(formats, tensors) {
    this.formats = formats;
    this.tensors = tensors;
    this.groups = group_tensors(tensors.list);
    const gemms = [...this.groups.keys()];
    this.gemm = gemms.find((g) => g.endsWith("mlp.down")) ?? gemms[0];
    this.format = "e4m3";
    this.shift = 0;
    this.window = kAround;
    this.#make_controls(gemms);
    this.redraw = on_width($("range-chart"), (width) => this.#draw(width));
    this.#describe();
  }

  #change(change) {
    Object.assign(this, change);
    this.redraw();
    this.#describe();
  }

  #make_controls(gemms) {
    const {lowestShift, highestShift, list} = this.tensors;
    const controls = $("range-controls");
    controls.append(choice_row(
        "range-window", "Show", [["around", "where tensors live"], ["all", "everything"]], "around",
        (value) => this.#change({window: value === "all" ? kEverything : kAround})));
    if (!list.length) {
      $("range-caption")
          .append(
              "No tensors were given to this page: ",
              make("code", {}, "binade page OUT.html --tensors FILE.safetensors"),
              " draws the magnitudes of yours here.");
      return;
    }
    const names = Object.keys(list[0].fates).filter((n) => this.formats.some((f) => f.name === n));
    this.shiftText = make("output", {for: "range-shift"
    }, "1");
    controls.append(
        choice_list(
            "range-format", "Cast to", names.map((n) => [n, n]), this.format,
            (format) => this.#change({format})),
        choice_list(
            "range-gemm", "Layer", gemms.map((g) => [g, g]), this.gemm,
            (gemm) => this.#change({gemm})),
        make("div", {class: "control"}, make("label", {for: "range-shift"
             }, "Multiplied before the cast by ", this.shiftText), make("input", {
               id: "range-shift",
               type: "range",
               min: lowestShift,
               max: highestShift,
               step: 1,
               value: 0,
               oninput: (event) => this.#change({shift: Number(event.target.value)})
             })));
    $("range-caption")
        .append(
            `Bars below: share of elements in each octave of |x|, from ${this.tensors.source}. ` +
            "Percentages are counted by the library over all elements, zeros left out of the drawing.");
  }

  #draw(width) {
    const narrow = width < 620;
    const left = narrow ? 0 : 104;
    const right = narrow ? 0 : 172;
    const {lowest, highest} = this.window;
    const scale = (exponent) =>
        left + (exponent - lowest) / (highest - lowest) * (width - left - right);
    const plot = {
      width,
      narrow,
      left,
      right,
      scale,
      lowest,
      highest,
      end: width - right,
      clamp: (e) => scale(Math.min(Math.max(e, lowest), highest))
    };
    const drawing = svg("svg", {
      role: "img",
      "aria-label": "Range of each format on a scale of octaves" +
          (this.gemm ? `, above the magnitudes of ${this.gemm}` : "")
    });
    let y = this.#draw_formats(drawing, plot, 8);
    y = this.#draw_axis(drawing, plot, y);
    for (const tensor of this.groups.get(this.gemm) ?? [])
      y = this.#draw_tensor(drawing, plot, tensor, y + 14);
    if (this.gemm) y = this.#draw_axis(drawing, plot, y);
    drawing.setAttribute("viewBox", `0 0 ${width} ${y}`);
    drawing.setAttribute("height", y);
    $("range-chart").replaceChildren(drawing);
  }

  #draw_formats(drawing, plot, top) {
    const {narrow, end, width} = plot;
    if (!narrow) {
      drawing.append(
          text_at(end + 14, top + 6, "largest", {class: "quiet"}),
          text_at(width, top + 6, "steps an octave", {class: "quiet", "text-anchor": "end"}));
    }
    let y = top + (narrow ? 0 : 14);
    for (const format of this.formats) {
      drawing.append(this.#format_row(format, plot, y));
      y += narrow ? 36 : 23;
    }
    return y + 4;
  }

  #format_row(format, plot, y) {
    const {narrow, lowest, highest, clamp, end, width} = plot;
    const low = format.minUlpExponent;
    const high = Math.log2(format.maxFinite);
    const bar = y + (narrow ? 18 : 5);
    const row = svg("g", {class: this.gemm && format.name === this.format ? "chosen" : ""});
    const span = (from, to, kind) => to > from && row.append(svg("rect", {
      x: clamp(from),
      width: Math.max(clamp(to) - clamp(from), 0),
      y: bar,
      height: 12,
      class: kind
    }));
    span(low, format.emin, "subnormal");
    span(format.emin, high, "normal");
    const arrow = (x, direction) => row.append(svg("path", {
      class: direction < 0 && format.emin > lowest ? "subnormal" : "normal",
      d: `M ${x} ${bar} l ${7 * direction} 6 l ${- 7 * direction} 6 z`
    }));
    if (low < lowest) arrow(clamp(lowest), -1);
    if (high > highest) arrow(clamp(highest), 1);
    const largest =
        format.emax > 20 ? `≈ ${power_of_two(format.emax + 1)}` : short_number(format.maxFinite);
    const steps =
        format.mantissaBits > 10 ? power_of_two(format.mantissaBits) : 2 ** format.mantissaBits;
    if (narrow) {
      row.append(
          text_at(0, y + 13, format.name, {class: "name"}),
          text_at(
              width, y + 13, `to ${largest} · ${steps} an octave`,
              {class: "quiet", "text-anchor": "end"}));
    } else {
      row.append(
          text_at(0, y + 15, format.name, {class: "name"}), text_at(end + 14, y + 15, largest, {}),
          text_at(width, y + 15, steps, {"text-anchor": "end"}));
    }
    return row;
  }

  #draw_axis(drawing, plot, y) {
    const {lowest, highest, scale, left, end, narrow} = plot;
    const every = (highest - lowest > 100 ? 32 : 8) * (narrow && highest - lowest > 100 ? 2 : 1) *
        (narrow ? 2 : 1);
    drawing.append(svg("line", {x1: left, x2: end, y1: y, y2: y, class: "axis"}));
    for (let e = Math.ceil(lowest / every) * every; e <= highest; e += every) {
      drawing.append(
          svg("line", {x1: scale(e), x2: scale(e), y1: y, y2: y + 5, class: "axis"}),
          text_at(
              scale(e), y + 19, e === 0 ? "1" : power_of_two(e),
              {class: "quiet", "text-anchor": "middle"}));
    }
    return y + 28;
  }

  #draw_tensor(drawing, plot, tensor, top) {
    const {narrow, left, end, clamp, lowest, highest, width} = plot;
    const format = this.formats.find((f) => f.name === this.format);
    const header = narrow ? 40 : 20;
    const height = narrow ? 58 : 76;
    const y = top + header;
    const zone = (from, to, kind) => drawing.append(
        svg("rect", {class: kind, x: clamp(from), y, width: clamp(to) - clamp(from), height}));
    zone(lowest, format.minUlpExponent - 1, "zone-zero");
    zone(format.minUlpExponent - 1, format.emin, "zone-subnormal");
    zone(Math.log2(format.maxFinite), highest, "zone-over");
    const {first, counts} = tensor.histogram;
    const largest = Math.max(...counts, 1);
    counts.forEach((count, i) => {
      const e = first + i + this.shift;
      if (e < lowest || e >= highest || !count) return;
      const tall = Math.max(count / largest * (height - 6), 0.8);
      drawing.append(svg("rect", {
        class: "bar",
        x: clamp(e) + 0.5,
        width: Math.max(clamp(e + 1) - clamp(e) - 1, 0.8),
        y: y + height - tall,
        height: tall
      }));
    });
    drawing.append(svg("line", {x1: left, x2: end, y1: y + height, y2: y + height, class: "axis"}));
    this.#label_tensor(drawing, plot, tensor, top);
    return y + height;
  }

  #label_tensor(drawing, plot, tensor, top) {
    const {narrow, left, width, end} = plot;
    const fate = this.#fate(tensor);
    const title =
        svg("text", {x: left, y: top + 12}, svg("tspan", {"font-weight": 600}, tensor.role),
            svg("tspan", {class: "quiet", dx: 8},
                `${tensor.shape.join(" × ")}, largest ${short_number(tensor.amax)}`));
    drawing.append(title);
    const rows = [
      [fate.zero, narrow ? "to 0" : "become 0", "lost-text"],
      [fate.subnormal, "subnormal", "sub-text"], [fate.over, "too large", "over-text"]
    ];
    rows.forEach(([share, label, tone], i) => {
      const [x, y] = narrow ? [[0, 0.31, 0.7][i] * width, top + 31] : [end + 14, top + 40 + 21 * i];
      drawing.append(
          svg("text", {x, y}, svg("tspan", {class: tone, "font-weight": 600}, percent_text(share)),
              svg("tspan", {class: "quiet", dx: 4}, label)));
    });
  }

  /** Shares of the finite non-zero elements, as the library counted them. */
  #fate(tensor) {
    const [zero, subnormal, over] =
        tensor.fates[this.format][this.shift - this.tensors.lowestShift];
    const all = Math.max(tensor.count - tensor.zeros - tensor.others, 1);
    return {zero: zero / all, subnormal: subnormal / all, over: over / all};
  }

  #describe() {
    if (!this.gemm) return;
    const factor = this.shift === 0 ? "1" : power_of_two(this.shift);
    this.shiftText.value = `${factor}${this.shift ? ` (scale ${power_of_two(-this.shift)})` : ""}`;
    $("range-readout")
        .replaceChildren(make(
            "p", {class: "visually-hidden"},
            `Cast to ${this.format} after multiplication by ${factor}: `,
            (this.groups.get(this.gemm) ?? []).map((tensor) => {
              const {zero, subnormal, over} = this.#fate(tensor);
              return `${tensor.role}: ${percent_text(zero)} become zero, ${
                         percent_text(subnormal)} subnormal, ` +
                  `${percent_text(over)} too large. `;
            })));
  }
}
