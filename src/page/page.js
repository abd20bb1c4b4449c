// Reads the tables and brings the figures up.

const kTables = JSON.parse($("tables").textContent);
const kFormats = kTables.formats.map((record) => new Format(record));

draw_ruler(kFormats);
new RangeFigure(kFormats, kTables.tensors);
const explorer = new Explorer(kFormats);
new Poster(kFormats, (format, code) => {
  explorer.show(format, code);
  $("explorer").scrollIntoView();
  explorer.bits[0].button.focus({preventScroll: true});
});
new SumFigure(kTables.sums);
show_memory(kTables.memory);
