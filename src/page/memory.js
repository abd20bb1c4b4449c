// The memory bill, as the library added it up.

const kGroups = {
  training: "State while training",
  serving: "Weights to serve"
};

const gigabytes = (bytes) =>
    bytes >= 1e12 ? `${(bytes / 1e12).toFixed(2)} TB` : `${(bytes / 1e9).toFixed(0)} GB`;

function show_memory({parameters, deviceBytes, parts, recipes}) {
  $("memory-intro").textContent =
      `What ${parameters / 1e9} billion parameters weigh (DeepSeek-V3's count), part by part, ` +
      `and how many devices of ${
          deviceBytes / 1e9} GB would hold that and nothing else: no activations, no buffers.`;
  const key = make(
      "ul", {class: "key", "aria-hidden": "true"},
      parts.map((part, i) => make("li", {class: `part-${i}`}, part)));
  $("memory-tables").append(key, ...Object.entries(kGroups).map(([group, title]) => {
    const rows = recipes.filter((r) => r.group === group);
    const widest = Math.max(...rows.map((r) => r.bytesPerParameter));
    return make(
        "table", {class: "bill", "data-group": group}, make("caption", {}, title),
        make(
            "thead", {},
            make(
                "tr", {}, make("th", {scope: "col"}, "recipe"),
                make("th", {scope: "col", class: "number"}, "bytes each"),
                make("th", {scope: "col", class: "number"}, "in all"),
                make("th", {scope: "col", class: "number"}, "devices"),
                make("th", {scope: "col", class: "stack-cell"}, "of which"))),
        make("tbody", {}, rows.map((recipe) => memory_row(recipe, parts, widest))));
  }));
}

function memory_row(recipe, parts, widest) {
  const spoken = recipe.parts.map((bytes, i) => bytes ? `${parts[i]} ${bytes} bytes` : "")
                     .filter(Boolean)
                     .join(", ");
  const bars = recipe.parts.map(
      (bytes, i) => bytes === 0 ? null :
                                  make(
                                      "span", {
                                        class: `part-${i}`,
                                        title: `${parts[i]}: ${bytes} bytes`,
                                        style: `flex: 0 0 ${100 * bytes / widest}%`
                                      },
                                      bytes >= widest / 20 ? String(bytes) : ""));
  return make(
      "tr", {}, make("th", {scope: "row"}, recipe.name, make("span", {}, recipe.detail)),
      make(
          "td", {class: "number"}, String(Number(recipe.bytesPerParameter.toFixed(5))),
          make("span", {class: "narrow-only"}, " bytes each")),
      make("td", {class: "number"}, gigabytes(recipe.totalBytes)),
      make(
          "td", {class: "number"}, String(recipe.devices),
          make("span", {class: "narrow-only"}, " devices")),
      make(
          "td", {class: "stack-cell"}, make("span", {class: "visually-hidden"}, spoken),
          make("div", {class: "stack", "aria-hidden": "true"}, bars)));
}
