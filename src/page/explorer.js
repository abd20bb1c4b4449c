// The bit explorer: a code with its fields, a typed number with its fence, both under a scale.

class Explorer {
  constructor(formats) {
    this.formats = formats;
    this.format = formats.find((f) => f.name === "e4m3");
    this.code = 0x3an;
    this.overflow = "saturate";
    this.typed = "1.3";
    this.scaleKind = "e8m0";
    this.scaleExponent = -4;
    this.#make_controls();
    this.#make_entry();
    this.#make_scale();
    this.#make_bits();
    this.strip = on_width($("explorer-strip"), (width) => this.#draw_strip(width));
    this.update();
  }

  /** Shows a code of a format; the poster sends its reader here. */
  show(format, code) {
    $("explorer-format").value = format.name;
    this.format = format;
    this.code = code;
    this.#make_bits();
    this.update();
  }

  #make_controls() {
    const group = (label, wanted) => ({
      group: label,
      options: this.formats.filter(wanted).map((f) => [f.name, `${f.name} · ${f.bits} bits`])
    });
    $("explorer-controls")
        .append(
            choice_list(
                "explorer-format", "Format",
                [
                  group("8 bits", (f) => f.bits === 8),
                  group("Under 8 bits", (f) => f.bits < 8),
                  group("12 to 19 bits", (f) => f.bits > 8 && f.bits < 32),
                  group("32 and 64 bits", (f) => f.bits >= 32),
                ],
                this.format.name, (name) => this.#choose_format(name)),
            make("p", {class: "aside", id: "explorer-about"}));
  }

  /** The same number in the new format, where it can be looked up. */
  #choose_format(name) {
    const value = this.format.value(this.code);
    this.format = this.formats.find((f) => f.name === name);
    const parsed = parse_number(Number.isNaN(value) ? "nan" : String(value));
    this.code = this.#round(parsed)?.code ?? 0n;
    this.#make_bits();
    this.update();
  }

  #make_bits() {
    const {format} = this;
    const names = ["sign", "exponent", "mantissa"];
    this.bits = [];
    const fields = names.map((name) => {
      const members = [];
      for (let bit = format.bits - 1; bit >= 0; --bit)
        if (format.field(bit) === name) members.push(bit);
      if (!members.length) return null;
      const buttons = members.map((bit) => {
        const button = make("button", {
          type: "button",
          class: "bit",
          tabindex: -1,
          onclick: () => this.#flip(bit),
          onfocus: () => this.#focus_bit(button)
        });
        this.bits.push({bit, button});
        return button;
      });
      return make(
          "div", {class: `field ${name}`}, make("div", {class: "field-bits"}, buttons),
          make("div", {class: "field-name", "data-field": name}));
    });
    this.bits[0].button.tabIndex = 0;
    const group = make(
        "div", {
          class: `fields${format.bits > 12 ? " many" : ""}`,
          role: "group",
          "aria-label":
              "Bits of the code. Left and right move, space flips, up and down step to the neighbouring number",
          onkeydown: (event) => this.#on_key(event)
        },
        fields);
    $("explorer-bits").replaceChildren(group);
    $("explorer-steps")
        .replaceChildren(
            make(
                "button", {type: "button", id: "explorer-down", onclick: () => this.#step(-1)},
                "Next number down"),
            make(
                "button", {type: "button", id: "explorer-up", onclick: () => this.#step(1)},
                "Next number up"));
  }

  #focus_bit(button) {
    for (const other of this.bits) other.button.tabIndex = other.button === button ? 0 : -1;
  }

  #on_key(event) {
    const at = this.bits.findIndex(({button}) => button === document.activeElement);
    const last = this.bits.length - 1;
    const target = {
      ArrowLeft: Math.max(at - 1, 0),
      ArrowRight: Math.min(at + 1, last),
      Home: 0,
      End: last
    }[event.key];
    if (target !== undefined) {
      this.bits[target].button.focus();
    } else if (event.key === "ArrowUp" || event.key === "ArrowDown") {
      this.#step(event.key === "ArrowUp" ? 1 : -1);
    } else {
      return;
    }
    event.preventDefault();
  }

  #flip(bit) {
    this.code ^= 1n << BigInt(bit);
    this.update();
  }

  #step(direction) {
    const next = this.format.neighbour(this.code, direction);
    if (next === null) return;
    this.code = next;
    this.update();
  }

  update() {
    const {format, code} = this;
    const special = format.hasNan ? format.hasInfinity ? "with Inf and NaN" : "with NaN, no Inf" :
                                    "no Inf, no NaN";
    $("explorer-about").textContent =
        `${format.exponentBits} exponent and ${format.mantissaBits} mantissa bits, ` +
        `bias ${format.bias}; ${special}. ${format.source}.`;
    for (const {bit, button} of this.bits) {
      const set = (code >> BigInt(bit)) & 1n;
      button.textContent = String(set);
      button.setAttribute("aria-pressed", String(set === 1n));
      button.setAttribute("aria-label", `bit ${bit}, ${format.field(bit)}: ${set}`);
    }
    this.#label_fields();
    this.#show_formula();
    this.#show_facts();
    this.#show_verdict();
    this.#show_scale();
    this.strip();
  }

  #label_fields() {
    const parts = this.format.parts(this.code);
    const words = {
      sign: parts.negative ? "sign −" : "sign +",
      exponent: `exponent ${parts.exponent}`,
      mantissa: `mantissa ${parts.mantissa}`
    };
    for (const node of document.querySelectorAll("#explorer-bits [data-field]")) {
      node.textContent = words[node.dataset.field];
    }
  }

  #show_formula() {
    const {format, code} = this;
    const kind = format.class_of(code);
    if (kind === "NaN" || kind === "infinity") {
      $("explorer-formula")
          .replaceChildren(
              `This pattern is set aside: ${kind === "NaN" ? "not a number" : "infinity"}.`);
      return;
    }
    const {negative, exponent, mantissa} = format.parts(code);
    const lead = exponent > 0 || !format.hasZero ? 1 : 0;
    const field = format.hasZero ? Math.max(exponent, 1) : exponent;
    const tone = (name, text) => make("b", {class: name}, String(text));
    $("explorer-formula")
        .replaceChildren(
            ...(format.signed ? [tone("sign", negative ? "−1" : "+1"), " × "] : []), "2",
            make("sup", {}, tone("exponent", field), ` − ${format.bias}`),
            ...(format.mantissaBits ?
                    [
                      ` × (${lead} + `, tone("mantissa", mantissa),
                      ` / ${power_or_number(format.mantissaBits)})`
                    ] :
                    []));
  }

  #show_facts() {
    const {format, code} = this;
    const x = format.value(code);
    const kind = format.class_of(code);
    const neighbour = (direction) => {
      const next = format.neighbour(code, direction);
      return next === null ?
          "none" :
          [value_text(format.value(next)), " ", make("code", {class: "aside"}, format.hex(next))];
    };
    const finite = Number.isFinite(x);
    const step = finite ? 2 ** format.ulp_exponent(code) : NaN;
    const rows = [
      ["Value", big_value("fact-value", x)],
      ["Code", make("code", {id: "fact-code"}, format.hex(code))],
      ["Class", make("span", {id: "fact-class"}, kind)],
      [
        "Step here",
        finite ? make(
                     "span", {id: "fact-step"}, power_of_two(format.ulp_exponent(code)),
                     x === 0 ? "" :
                               make(
                                   "span", {class: "aside"},
                                   `, ${percent_text(step / Math.abs(x))} of the value`)) :
                 "none"
      ],
      ["Next up", make("span", {id: "fact-up"}, neighbour(1))],
      ["Next down", make("span", {id: "fact-down"}, neighbour(-1))],
    ];
    $("explorer-facts")
        .replaceChildren(
            ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
    $("explorer-up").disabled = format.neighbour(code, 1) === null;
    $("explorer-down").disabled = format.neighbour(code, -1) === null;
  }

  #make_entry() {
    $("explorer-entry")
        .append(
            make(
                "div", {class: "entry"},
                make(
                    "div", {class: "control"},
                    make(
                        "label",
                        {for: "explorer-number"
                        },
                        "Number"),
                    make("input", {
                      id: "explorer-number",
                      type: "text",
                      value: this.typed,
                      autocomplete: "off",
                      spellcheck: "false",
                      inputmode: "text",
                      "aria-describedby": "explorer-hint",
                      oninput: (event) => {
                        this.typed = event.target.value;
                        this.#show_verdict();
                        this.#show_scale();
                        this.strip();
                      }
                    })),
                choice_row(
                    "explorer-overflow", "Beyond the largest",
                    [["saturate", "saturate"], ["special", "Inf or NaN"]], this.overflow,
                    (value) => {
                      this.overflow = value;
                      this.#show_verdict();
                      this.#show_scale();
                    })),
            make(
                "p", {class: "aside hint", id: "explorer-hint"},
                "1.3, −0.0004, 6.1e-5, 2^-9, 1/448, inf, nan; as many digits as you like."));
  }

  /** The code a parsed number rounds to in the present format; null where the page does not say. */
  #round(parsed) {
    const {format} = this;
    if (!parsed) return null;
    if (format.tabulated) return format.lookup(parsed, this.overflow);
    if (format.name === "tf32") return null;
    const words = {"inf": Infinity, "-inf": -Infinity, "nan": NaN};
    const x = parsed.special          ? words[parsed.special] :
        parsed.minusZero              ? -0 :
        Number.isNaN(parsed.platform) ? ratio_to_number(parsed.ratio) :
                                        parsed.platform;
    return {code: platform_code(format, x), platform: true};
  }

  #show_verdict() {
    const {format} = this;
    const parsed = parse_number(this.typed);
    const rounded = this.#round(parsed);
    const verdict = $("explorer-verdict");
    $("explorer-number").setAttribute("aria-invalid", String(!parsed));
    $("cast-show").disabled = !rounded;
    if (!parsed || !rounded) {
      verdict.replaceChildren(make(
          "p", {},
          !parsed ?
              "That is not a number this page can read." :
              "Two roundings of tf32 are in use: matrix units cut the low bits, cvt.rna rounds ties away. The page keeps out of it."));
      return;
    }
    const value = format.value(rounded.code);
    verdict.replaceChildren(make(
        "dl", {class: "facts"}, make("dt", {}, "Rounds to"),
        make("dd", {}, big_value("cast-value", value)), make("dt", {}, "Code"),
        make("dd", {}, make("code", {id: "cast-code"}, format.hex(rounded.code))),
        this.#error_rows(parsed, value, rounded)));
    $("cast-show").onclick = () => this.show(format, rounded.code);
  }

  #error_rows(parsed, value, rounded) {
    const {format} = this;
    if (rounded.platform) {
      return [
        make("dt", {}, "By"),
        make(
            "dd", {class: "aside"},
            `the browser's own conversion${format.bits < 64 ? ", by way of fp64" : ""}`)
      ];
    }
    if (parsed.special || !Number.isFinite(value)) return [];
    const error = subtract_ratios(ratio_of_dyadic(dyadic(value)), parsed.ratio);
    if (error.n === 0n)
      return [make("dt", {}, "Error"), make("dd", {id: "cast-error"}, "none, it is exact")];
    const relative = parsed.ratio.n === 0n ?
        0 :
        ratio_to_number({n: error.n * parsed.ratio.d, d: error.d * absolute(parsed.ratio).n});
    const signed = parsed.ratio.n < 0n ? "in magnitude " : "";
    const outward = parsed.ratio.n < 0n ? -relative : relative;
    return [
      make("dt", {}, "Error"),
      make("dd", {id: "cast-error"}, `${signed}${outward > 0 ? "+" : ""}${percent_text(outward)}`),
      ...this.#fence_rows(parsed, rounded)
    ];
  }

  #fence_rows(parsed, rounded) {
    const {format} = this;
    const magnitude = absolute(parsed.ratio);
    const index = Number(rounded.code & format.magnitudeMask);
    if (rounded.over || (!format.signed && parsed.ratio.n < 0n) || index > format.maxFiniteCode)
      return [];
    const above =
        compare_ratios(magnitude, ratio_of_dyadic(dyadic(Math.abs(format.value(BigInt(index)))))) >
        0;
    const fence = above ? index : index - 1;
    if (fence < 0) return [];
    const at = format.boundaries[fence];
    const tie = format.tie_goes_up(fence) ? "goes up" : "goes down";
    return [
      make("dt", {}, "Fence"),
      make(
          "dd", {}, make("span", {id: "cast-fence"}, value_text(at)),
          make(
              "span", {class: "aside"},
              ` between ${brief_text(format.values[fence])} and ` +
                  `${
                      fence < format.maxFiniteCode ? brief_text(format.values[fence + 1]) :
                                                     "overflow"}; the fence itself ${tie}`))
    ];
  }

  /** The typed number among its neighbours, on a straight scale. */
  #draw_strip(width) {
    const {format} = this;
    const node = $("explorer-strip");
    const parsed = parse_number(this.typed);
    const rounded = format.tabulated ? this.#round(parsed) : null;
    if (!rounded || parsed.special || !Number.isFinite(format.value(rounded.code)) ||
        rounded.over) {
      node.replaceChildren();
      return;
    }
    const codes = this.#codes_around(rounded.code, 3);
    const values = codes.map((code) => format.value(code));
    const labels = values.map(short_number);
    const low = values[0];
    const high = values[values.length - 1];
    const x = (value) => 26 + (value - low) / (high - low || 1) * (width - 52);
    const drawing = svg("svg", {
      viewBox: `0 0 ${width} 108`,
      height: 108,
      role: "img",
      "aria-label": `The number among its neighbours ${values.map(short_number).join(", ")}`
    });
    drawing.append(svg("line", {x1: 0, x2: width, y1: 66, y2: 66, class: "axis"}));
    values.forEach((value, i) => {
      const chosen = codes[i] === rounded.code;
      const crowded = width / values.length < 8 * Math.max(...labels.map((l) => l.length));
      const raised = crowded && i % 2 === 1;
      drawing.append(
          svg("line", {
            x1: x(value),
            x2: x(value),
            y1: chosen ? 44 : 52,
            y2: 72,
            class: chosen ? "tick-strong" : "tick"
          }),
          text_at(x(value), raised ? 103 : 88, labels[i], {
            "text-anchor": "middle",
            class: chosen ? "" : "quiet",
            "font-weight": chosen ? 600 : 400
          }));
      const magnitude = Math.min(
          Number(codes[i] & format.magnitudeMask),
          Number((codes[i + 1] ?? codes[i]) & format.magnitudeMask));
      if (i + 1 < values.length && value !== values[i + 1]) {
        const fence = format.boundaries[magnitude] * (value < 0 ? -1 : 1);
        drawing.append(svg("line", {x1: x(fence), x2: x(fence), y1: 40, y2: 66, class: "fence"}));
      }
    });
    const place = ratio_to_number(parsed.ratio);
    if (place >= low && place <= high) {
      drawing.append(
          svg("path", {class: "mark", d: `M ${x(place)} 62 l -6 -13 h 12 z`}),
          text_at(
              Math.min(Math.max(x(place), 30), width - 30), 28, this.typed.trim().slice(0, 18),
              {"text-anchor": "middle", class: "lost-text", "font-weight": 600}));
    }
    node.replaceChildren(drawing);
  }

  #codes_around(code, count) {
    const {format} = this;
    const codes = [code];
    for (let i = 0; i < count; ++i) {
      const below = format.neighbour(codes[0], -1);
      const above = format.neighbour(codes[codes.length - 1], 1);
      if (below !== null && Number.isFinite(format.value(below))) codes.unshift(below);
      if (above !== null && Number.isFinite(format.value(above))) codes.push(above);
    }
    return codes;
  }

  #make_scale() {
    const exponent = make("input", {
      id: "scale-exponent",
      type: "range",
      min: -127,
      max: 127,
      step: 1,
      value: this.scaleExponent,
      "aria-describedby": "scale-equation",
      oninput: () => {
        this.scaleExponent = Number(exponent.value);
        this.#show_scale();
      }
    });
    $("explorer-scale-body")
        .append(
            make(
                "p", {class: "aside"},
                "A block of elements shares one scale, the factor that brings its codes back: x ≈ value(code) × scale."),
            make(
                "div", {class: "scale-grid"},
                choice_row(
                    "scale-kind", "Scale held as",
                    [["e8m0", "E8M0"], ["fp32", "FP32 power of two"]], this.scaleKind,
                    (kind) => {
                      this.scaleKind = kind;
                      this.#show_scale();
                    }),
                make(
                    "div", {class: "control"},
                    make(
                        "label",
                        {for: "scale-exponent"
                        },
                        "Scale ",
                        make(
                            "output",
                            {
                              id: "scale-value", for: "scale-exponent"
                            })),
                    exponent)),
            make("div", {id: "scale-equation", "aria-live": "polite"}));
  }

  /** The code of the scale and its exact value, both read from the library's tables. */
  #scale() {
    if (this.scaleKind === "e8m0") {
      const format = this.formats.find((f) => f.name === "e8m0");
      const code = BigInt(this.scaleExponent + format.bias);
      return {code: format.hex(code), exponent: Math.log2(format.value(code))};
    }
    const exponent = Math.max(this.scaleExponent, -126);
    const format = this.formats.find((f) => f.name === "fp32");
    return {
      code: format.hex(BigInt(exponent + format.bias) << BigInt(format.mantissaBits)),
      exponent
    };
  }

  #show_scale() {
    const {format, code} = this;
    const scale = this.#scale();
    $("scale-value").value = `${power_of_two(scale.exponent)} (${scale.code})`;
    const x = format.value(code);
    const under = (value) => Number.isFinite(value) && value !== 0 ?
        exact_decimal(times_power_of_two(dyadic(value), scale.exponent)) :
        value_text(value);
    const lines = [make(
        "p", {class: "equation"},
        `The code above: ${brief_text(x)} × ${power_of_two(scale.exponent)} = `,
        make("strong", {id: "scale-product"}, under(x)))];
    const parsed = parse_number(this.typed);
    if (parsed?.ratio && format.tabulated) {
      const inverse = ratio_of_dyadic({n: 1n, e: -scale.exponent});
      const scaled = {n: parsed.ratio.n * inverse.n, d: parsed.ratio.d * inverse.d};
      const rounded = format.lookup({...parsed, ratio: scaled}, this.overflow);
      const value = format.value(rounded.code);
      lines.push(make(
          "p", {class: "equation"},
          `The number typed: ${this.typed.trim()} ÷ ${power_of_two(scale.exponent)} ≈ ` +
              `${short_number(ratio_to_number(scaled))}, which rounds to ${brief_text(value)} (`,
          make("code", {id: "scale-code"}, format.hex(rounded.code)), ") and reads back as ",
          make("strong", {id: "scale-back"}, under(value)), "."));
    }
    $("scale-equation").replaceChildren(...lines);
  }
}

/** A value in large type, smaller where its decimals run long. */
function big_value(id, x) {
  const text = value_text(x);
  return make("span", {id, class: text.length > 20 ? "long" : "big"}, text);
}

function power_or_number(bits) {
  return bits > 16 ? power_of_two(bits) : String(2 ** bits);
}

/** The code of a double in fp64 or fp32, as the platform stores it. */
function platform_code(format, x) {
  const view = new DataView(new ArrayBuffer(8));
  if (format.bits === 64) {
    view.setFloat64(0, x);
    return view.getBigUint64(0);
  }
  view.setFloat32(0, x);
  return BigInt(view.getUint32(0));
}
