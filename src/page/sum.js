// One fused dot-add step, phase by phase: the trace is the library's, the script only lays it out.

const kPhases = ["Products", "Largest exponent", "Align", "Cut", "Add", "Round", "Promote"];
const [kProducts, kLargest, kAlign, kCut, kAdd, kRound, kPromote] = kPhases.keys();
const kPlayMilliseconds = 2600;

/** The set and unset bits of an integer times 2^exponent, leading one first: [{weight, set}]. */
function weighted_bits(integer, exponent, length) {
  const digits = integer.toString(2).padStart(length, "0");
  return [...digits].map(
      (digit, i) => ({weight: exponent + digits.length - 1 - i, set: digit === "1"}));
}

function without_trailing_zeros(bits) {
  const last = bits.map((b) => b.set).lastIndexOf(true);
  return bits.slice(0, last + 1);
}

class SumFigure {
  constructor(examples) {
    this.examples = examples;
    this.example = examples[0];
    this.phase = kProducts;
    $("sum-controls")
        .append(choice_row(
            "sum-example", "Example", examples.map((e) => [e.id, e.title]), this.example.id,
            (id) => this.#choose(id)));
    this.#make_player();
    this.#build();
    on_width($("sum-table"), () => this.#build());
  }

  #choose(id) {
    this.#stop();
    this.example = this.examples.find((e) => e.id === id);
    this.phase = kProducts;
    this.#build();
  }

  #make_player() {
    const button = (id, label, action) => make(
        "button", {
          type: "button",
          id,
          onclick: () => {
            this.#stop();
            action();
          }
        },
        label);
    this.playButton = make(
        "button", {type: "button", class: "play", id: "sum-play", onclick: () => this.#toggle()},
        "Play");
    this.backButton = button("sum-back", "Back", () => this.#go(this.phase - 1));
    this.stepButton = button("sum-step", "Step", () => this.#go(this.phase + 1));
    this.dots = kPhases.map((name, i) => make("button", {
                              type: "button",
                              "aria-label": `${i + 1}: ${name}`,
                              title: name,
                              onclick: () => {
                                this.#stop();
                                this.#go(i);
                              }
                            }));
    $("sum-player")
        .append(
            this.playButton, this.backButton, this.stepButton,
            make(
                "ol", {class: "dots", "aria-label": "Phases"},
                this.dots.map((dot) => make("li", {}, dot))));
  }

  #toggle() {
    if (this.timer) {
      this.#stop();
      return;
    }
    if (this.phase === kPromote) this.#go(kProducts);
    this.playButton.textContent = "Pause";
    this.timer = setInterval(() => {
      this.#go(this.phase + 1);
      if (this.phase === kPromote) this.#stop();
    }, kPlayMilliseconds);
  }

  #stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.playButton.textContent = "Play";
  }

  #go(phase) {
    this.phase = Math.min(Math.max(phase, 0), kPhases.length - 1);
    this.#show();
  }

  /** Lays out the rows of the example; #show then moves and marks them. */
  #build() {
    const {example} = this;
    const narrow = $("sum-table").clientWidth < 480;
    $("sum-note").textContent = example.note;
    const result = dyadic(example.result);
    const negative = example.sum < 0;
    this.rows =
        example.terms.filter((t) => t.significand !== 0).map((term) => this.#term_row(term));
    this.sumRow = this.#total_row(
        "S", "sum of the cut terms", negative,
        weighted_bits(Math.abs(example.sum), example.unitExponent, 1));
    this.resultRow = this.#total_row(
        "D", "result", result.n < 0n,
        result.n === 0n ? weighted_bits(0n, example.unitExponent, 1) :
                          without_trailing_zeros(
                              weighted_bits(result.n < 0n ? -result.n : result.n, result.e, 1)));
    const leading = Math.max(
        ...[this.sumRow, this.resultRow].flatMap(
            (r) => r.bits.filter((b) => b.set).map((b) => b.weight)),
        example.maxExponent + 1);
    const lowest = Math.min(...this.rows.flatMap((r) => r.bits.map((b) => b.weight)));
    const room = narrow ? 9 : 13;
    this.top = leading;
    this.bottom = Math.max(Math.min(lowest, example.unitExponent - 3), example.unitExponent - room);
    const idle = example.terms.length - this.rows.length;
    const wide = {class: "wide-only"};
    $("sum-table")
        .replaceChildren(make(
            "table", {class: "terms"},
            make(
                "caption", {},
                `${example.instruction}: ${this.rows.length} terms that count` +
                    (idle ? `; the other ${idle} are zero and take no part` : "")),
            make(
                "thead", {},
                make(
                    "tr", {}, make("th", {scope: "col"}, "k"),
                    make("th", {scope: "col", ...wide}, "a × b"), make("th", {scope: "col"}, "e"),
                    make("th", {scope: "col"}, make("span", {class: "visually-hidden"}, "sign")),
                    this.#scale_cell(),
                    make(
                        "th", {scope: "col", ...wide}, `× ${power_of_two(example.unitExponent)}`))),
            make(
                "tbody", {}, this.rows.map((r) => r.node), this.sumRow.node, this.resultRow.node)));
    this.cells = [...document.querySelectorAll("#sum-table td .bits")];
    this.#show();
  }

  #scale_cell() {
    const {example} = this;
    this.scale = make("span", {class: "bits scale-row", "aria-hidden": "true"});
    for (const [weight, label] of [
             [example.maxExponent, power_of_two(example.maxExponent)],
             [example.unitExponent, power_of_two(example.unitExponent)]]) {
      this.scale.append(make("i", {"data-weight": weight, style: "width: 3.4rem"}, label));
    }
    return make(
        "th", {scope: "col", class: "bits-cell"}, make("span", {class: "visually-hidden"}, "bits"),
        this.scale);
  }

  #make_bits(bits, point) {
    return bits.map(
        (bit) => ({
          ...bit,
          node: make(
              "i", {class: bit.set ? "" : "zero-bit", "data-point": bit.weight === point},
              bit.set ? "1" : "0")
        }));
  }

  #term_row(term) {
    const isC = term.k < 0;
    const lowest = term.exponent - term.fractionBits;
    const raw = weighted_bits(BigInt(term.significand), lowest, term.fractionBits + (isC ? 1 : 2));
    const bits = this.#make_bits(isC ? without_trailing_zeros(raw) : raw, term.exponent);
    const value =
        exact_decimal({n: BigInt(term.significand) * (term.negative ? -1n : 1n), e: lowest});
    const aligned = make("span", {}, minus(term.aligned));
    const node = make(
        "tr", {}, make("td", {}, isC ? "C" : String(term.k)),
        make(
            "td", {class: "wide-only"},
            isC ? value_text(this.example.c) :
                  `${value_text(term.a.value)} × ${value_text(term.b.value)}`),
        make("td", {}, minus(term.exponent)),
        make("td", {"aria-label": term.negative ? "minus" : "plus"}, term.negative ? "−" : "+"),
        make(
            "td", {class: "bits-cell"}, make("span", {class: "visually-hidden"}, `${value}, `),
            make("span", {class: "bits", "aria-hidden": "true"}, bits.map((b) => b.node))),
        make("td", {class: "wide-only"}, aligned));
    return {node, bits, term, aligned};
  }

  #total_row(name, title, negative, plain) {
    const bits = this.#make_bits(plain, null);
    const sign = make("td", {}, negative ? "−" : "+");
    const node = make(
        "tr", {class: "total"}, make("th", {scope: "row", title}, name),
        make("td", {class: "wide-only aside"}, title), make("td", {}), sign,
        make(
            "td", {class: "bits-cell"},
            make("span", {class: "bits", "aria-hidden": "true"}, bits.map((b) => b.node))),
        make("td", {class: "wide-only"}, name === "S" ? minus(this.example.sum) : ""));
    return {node, bits};
  }

  #show() {
    const {example, phase} = this;
    const width = this.scale.clientWidth;
    const pitch = Math.min(width / (this.top - this.bottom + 1), 17);
    const place = (weight) => `translateX(${((this.top - weight) * pitch).toFixed(2)}px)`;
    $("sum-table").style.setProperty("--pitch", `${pitch}px`);
    for (const label of this.scale.children) {
      const weight = Number(label.dataset.weight);
      const right = weight === example.unitExponent;
      label.style.transform =
          `translateX(${((this.top - weight + (right ? 1 : 0)) * pitch).toFixed(2)}px) translateX(${
              right ? "-100%" : "0"})`;
      label.style.textAlign = right ? "right" : "left";
    }
    for (const row of this.rows) this.#show_term(row, place);
    this.sumRow.node.style.visibility = phase >= kAdd ? "visible" : "hidden";
    this.sumRow.node.classList.toggle("rule", phase >= kAdd);
    this.resultRow.node.style.visibility = phase >= kRound ? "visible" : "hidden";
    const kept =
        Math.max(...this.sumRow.bits.filter((b) => b.set).map((b) => b.weight), -Infinity) -
        example.fractionBits;
    for (const bit of this.sumRow.bits)
      bit.node.classList.toggle("cut", phase >= kRound && bit.weight < kept);
    for (const bit of [...this.sumRow.bits, ...this.resultRow.bits])
      bit.node.style.transform = place(bit.weight);
    this.#show_edge((this.top - example.unitExponent + 1) * pitch);
    this.#show_words();
    this.backButton.disabled = phase === kProducts;
    this.stepButton.disabled = phase === kPromote;
    this.dots.forEach(
        (dot, i) => i === phase ? dot.setAttribute("aria-current", "step") :
                                  dot.removeAttribute("aria-current"));
  }

  #show_term({node, bits, term, aligned}, place) {
    const {example, phase} = this;
    const shift = phase >= kAlign ? 0 : example.maxExponent - term.exponent;
    node.classList.toggle(
        "leading", phase >= kLargest && phase <= kAlign && term.exponent === example.maxExponent);
    aligned.style.visibility = phase >= kCut ? "visible" : "hidden";
    for (const bit of bits) {
      const gone = bit.weight < example.unitExponent;
      bit.node.style.transform = place(bit.weight + shift);
      bit.node.classList.toggle("point", phase < kAlign && bit.node.hasAttribute("data-point"));
      bit.node.classList.toggle("gone", phase === kAlign && gone);
      bit.node.classList.toggle("cut", phase >= kCut && gone);
    }
  }

  #show_edge(left) {
    for (const cell of this.cells) {
      cell.querySelector(".edge")?.remove();
      if (this.phase >= kAlign)
        cell.append(make("span", {class: "edge", style: `left: ${left.toFixed(2)}px`}));
    }
  }

  #show_words() {
    const {example, phase} = this;
    $("sum-phase")
        .replaceChildren(
            make("b", {}, `${phase + 1} of ${kPhases.length} · ${kPhases[phase]}. `),
            this.#words()[phase]);
    const exact = dyadic(example.exact);
    const difference =
        subtract_ratios(ratio_of_dyadic(dyadic(example.result)), ratio_of_dyadic(exact));
    const off = difference.n === 0n ? "none" :
                                      `${short_number(ratio_to_number(difference))}` +
            (exact.n === 0n ?
                 "" :
                 `, ${percent_text(ratio_to_number(difference) / Math.abs(example.exact))} of it`);
    const item = (id, name, value, from) => make(
        "div", {class: phase >= from ? "" : "pending"}, make("dt", {}, name),
        make("dd", {id}, value));
    $("sum-outcome")
        .replaceChildren(make(
            "dl", {class: "outcome"},
            item("sum-exact", "Exact sum", exact_decimal(exact), kProducts),
            item("sum-result", "D, in the matrix unit", value_text(example.result), kRound),
            item("sum-off", "D less the exact sum", off, kRound),
            item(
                "sum-promoted", "FP32 sum after promotion", value_text(example.promoted),
                kPromote)));
  }

  #words() {
    const {example} = this;
    const counted = this.rows.map((r) => r.term);
    const name = (t) => t.k < 0 ? "C" : `k = ${t.k}`;
    const leaders = counted.filter((t) => t.exponent === example.maxExponent).map(name);
    const losers = counted.filter((t) => t.lostBits).length;
    const whole = dyadic(example.result);
    const scaled = {n: BigInt(example.sum), e: example.unitExponent};
    const dropped = compare_ratios(ratio_of_dyadic(whole), ratio_of_dyadic(scaled)) !== 0;
    const code = `0x${example.resultCode.toString(16).padStart(8, "0")}`;
    return [
      "Each product is exact, a significand of at most 8 bits, and has an exponent e of its own: the sum of its factors' exponents.",
      `The largest exponent is E = ${minus(example.maxExponent)}, from ${
          leaders.length > 4 ? `${leaders.length} terms` : leaders.join(", ")}. ` +
          "Zeros have no say.",
      `Every term moves right by E − e places, until all stand on one scale. The line is ${
          example.fractionBits} places below 2 to the E.`,
      `What lies beyond ${
          power_of_two(example.unitExponent)} is cut, towards zero, before anything is added: ` +
          (losers === 0 ? "here nobody loses a bit." :
                          `${losers} of ${counted.length} terms lose bits.`),
      `What is left are whole multiples of ${
          power_of_two(example.unitExponent)}, and they add up exactly: S = ${
          minus(example.sum)} × ${power_of_two(example.unitExponent)}.`,
      `S keeps its leading bit and ${example.fractionBits} places after it${
          dropped ? ", the rest is cut" : ", which is all it has"}: ` +
          `D = ${value_text(example.result)}, in an FP32 register as ${code}.`,
      `Outside the matrix unit D is added to a sum in FP32, rounded to nearest even: ` +
          `${value_text(example.before)} + ${value_text(example.result)} gives ${
              value_text(example.promoted)}.`,
    ];
  }
}
