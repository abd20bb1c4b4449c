// Small helpers: elements, SVG elements, groups of choices.

const $ = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (key.startsWith("on"))
      node.addEventListener(key.slice(2), value);
    else if (value === true)
      node.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null)
      node.setAttribute(key, value);
  }
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined));
  return node;
}

/** make("p", {class: "note"}, "text", child, ...) */
const make = (name, attributes, ...children) =>
    fill(document.createElement(name), attributes, children);

const svg = (name, attributes, ...children) =>
    fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);

const text_at = (x, y, text, attributes) => svg("text", {x, y, ...attributes}, text);

/** A labelled drop-down; options are [value, label] or {group, options}. */
function choice_list(id, label, options, selected, changed) {
  const option = ([value, text]) => make("option", {value, selected: value === selected}, text);
  const select = make(
      "select", {id, onchange: () => changed(select.value)},
      options.map(
          (o) => o.group ? make("optgroup", {label: o.group}, o.options.map(option)) : option(o)));
  return make("div", {class: "control"}, make("label", {for: id
              }, label), select);
}

/** A labelled row of radio buttons that looks like one divided button. */
function choice_row(name, label, options, selected, changed) {
  return make(
      "fieldset", {class: "control"}, make("legend", {}, label),
      make(
          "div", {class: "segments"},
          options.map(
              ([value, text]) => make(
                  "label", {}, make("input", {
                    type: "radio",
                    name,
                    value,
                    checked: value === selected,
                    onchange: () => changed(value)
                  }),
                  make("span", {}, text)))));
}

/** Draws now and whenever the width of `node` changes. */
function on_width(node, draw) {
  let last = 0;
  const redraw = () => {
    const width = Math.floor(node.clientWidth);
    if (width && width !== last) {
      last = width;
      draw(width);
    }
  };
  new ResizeObserver(redraw).observe(node);
  redraw();
  return () => last && draw(last);
}
