// How fast matrices are quantised on a GPU, beside a copy that moves as many bytes.
#include <stdexcept>
#include <string_view>

#include "binade/cuda/block_scale.hpp"
#include "binade/formats/catalog.hpp"
#include "device_timing.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

std::size_t bytes_of(FloatFormat f) { return static_cast<std::size_t>(f.container_bits()) / 8; }

struct Setting {
  std::string recipe, source, element, granularity, scales;
  cuda::MatrixLayout layout;
  bool transposed;
};

struct Shape {
  std::size_t rows, cols, repeats;
  std::uint64_t seed;
};

std::vector<Cell> row_of(const Setting& s, const Shape& shape) {
  const FloatFormat source = parse_format(s.source).format;
  const FloatFormat element = parse_element_format(s.element);
  const Granularity granularity = parse_granularity(s.granularity);
  const ScaleType type = parse_scale_type(s.scales);
  const std::size_t n = shape.rows * shape.cols;
  cuda::Quantizer quantizer(source, shape.rows, shape.cols, find_scale_recipe(s.recipe),
                            granularity, type, element);
  const BlockGrid grid = block_grid(shape.rows, shape.cols, granularity);
  const BlockGrid flipped = block_grid(shape.cols, shape.rows, granularity);
  const std::size_t scales = grid.grid_rows * grid.grid_cols;
  const std::size_t flipped_scales = s.transposed ? flipped.grid_rows * flipped.grid_cols : 0;
  const std::size_t codes = n * bytes_of(element) * (s.transposed ? 2 : 1);
  RotatingArrays arrays(n * bytes_of(source), codes);
  arrays.upload(numbers_in(source, n, shape.seed).data());
  cuda::DeviceArray scale_array((scales + flipped_scales) * sizeof(float));
  cuda::DeviceArray scale_codes(scales + flipped_scales);
  const auto outputs = [&](std::size_t i, bool second) {
    auto* to = arrays.output(i).as<std::uint8_t>();
    return cuda::QuantizedArrays{
        to + (second ? n * bytes_of(element) : 0), scale_array.as<float>() + (second ? scales : 0),
        type == ScaleType::kUe8m0 ? scale_codes.as<std::uint8_t>() + (second ? scales : 0)
                                  : nullptr,
        nullptr, s.layout};
  };
  const DeviceTimes times(cuda::time_launches(
      [&](std::size_t i) {
        if (s.transposed) {
          quantizer.run_with_transpose(arrays.input(i), outputs(i, false), outputs(i, true));
        } else {
          quantizer.run(arrays.input(i), outputs(i, false));
        }
      },
      shape.repeats));
  const char* kernel = s.transposed ? quantizer.kernel_with_transpose() : quantizer.kernel();
  const std::size_t readings = std::string_view(kernel) == "two passes" ? 2 : 1;
  const std::size_t moved =
      readings * n * bytes_of(source) + codes + (scales + flipped_scales) * sizeof(float);
  const DeviceTimes copy = copy_times(moved, shape.repeats);
  const cuda::KernelFacts facts =
      s.transposed ? quantizer.facts_with_transpose(s.layout) : quantizer.facts();
  const auto bytes = static_cast<double>(moved);
  return {s.recipe,
          s.source,
          s.element,
          s.granularity,
          s.scales,
          std::string(cuda::name_of(s.layout)),
          std::string(s.transposed ? "yes" : "no"),
          std::string(kernel),
          count_cell(shape.rows),
          count_cell(shape.cols),
          count_cell(moved),
          count_cell(shape.repeats),
          times.median(),
          times.rate(bytes),
          times.slowest_rate(bytes),
          times.fastest_rate(bytes),
          copy.rate(bytes),
          copy.median() / times.median(),
          std::int64_t{facts.registers},
          count_cell(facts.local_bytes)};
}

/// The layouts asked for in which scales are timed: both where blocks have one row, which costs
/// time, else only the usual one.
std::vector<cuda::MatrixLayout> layouts_of(const Arguments& arguments,
                                           const std::string& granularity) {
  const Granularity g = parse_granularity(granularity);
  std::vector<cuda::MatrixLayout> layouts;
  for (const std::string& name : arguments.text_list("layouts")) {
    const cuda::MatrixLayout layout = cuda::parse_layout(name);
    const bool is_usual = layout == cuda::MatrixLayout::kRowMajor;
    if (is_usual || (g.rows == 1 && g.cols != 0)) layouts.push_back(layout);
  }
  return layouts;
}

/// Every combination that the recipes offer.
std::vector<Setting> settings_of(const Arguments& arguments) {
  std::vector<Setting> settings;
  for (const std::string& recipe : arguments.text_list("recipes")) {
    for (const std::string& source : arguments.text_list("sources")) {
      for (const std::string& element : arguments.text_list("elements")) {
        for (const std::string& granularity : arguments.text_list("granularities")) {
          for (const std::string& scales : arguments.text_list("scales")) {
            for (const cuda::MatrixLayout layout : layouts_of(arguments, granularity)) {
              for (const std::string& transposed : arguments.text_list("transposed")) {
                settings.push_back(
                    {recipe, source, element, granularity, scales, layout, transposed == "yes"});
              }
            }
          }
        }
      }
    }
  }
  if (settings.empty()) {
    throw std::invalid_argument(
        "parameter layouts: found column-major alone, expected granularities of one row with it, "
        "as 1x128");
  }
  return settings;
}

Table run(const Arguments& arguments) {
  cuda::require_device(90, "device_quantize_throughput");
  const Shape shape{size_argument(arguments, "rows"), size_argument(arguments, "cols"),
                    size_argument(arguments, "repeats"), seed_argument(arguments)};
  const auto settings = settings_of(arguments);
  Table table;
  Progress progress{arguments, settings.size()};
  for (const Setting& s : settings) {
    table.rows.push_back(row_of(s, shape));
    progress.step();
  }
  table.notes.push_back(
      "copy: the faster of a copying kernel (16 bytes at a time, four in flight) and cudaMemcpy, "
      "moving as many bytes, timed right after; arrays take turns beyond the L2");
  table.notes.push_back(
      "bytes: x, codes and scales once; x twice in two passes, which a whole tensor takes beyond "
      "the "
      "L2, because its scale is not known before its end");
  return table;
}

}  // namespace

Experiment device_quantize_throughput() {
  Experiment e;
  e.name = "device_quantize_throughput";
  e.question = "How fast is a matrix quantised on a GPU, beside a copy of as many bytes?";
  e.source = "this project";
  e.parameters = {
      {"recipes", "deepgemm-cuda,deepseek-v3", "deepgemm", "quantisers", {}},
      {"sources", "bf16,fp32", "bf16", "formats of the matrix", {}},
      {"elements", "e4m3", "", "formats of the codes", {}},
      {"granularities",
       "tensor,row,1x128,128x128",
       "1x128,128x128",
       "blocks that share a scale",
       {}},
      {"scales", "fp32,ue8m0", "fp32", "how scales are rounded and stored", {}},
      {"layouts",
       "row-major,column-major",
       "row-major,column-major",
       "how 1x128 scales lie; cuBLASLt takes them column-major",
       {"row-major", "column-major"}},
      {"transposed", "no,yes", "no,yes", "whether the transpose is quantised too", {"no", "yes"}},
      {"rows", "8192", "128", "of the matrix", {}},
      {"cols", "7168", "256", "of the matrix", {}},
      {"repeats", "50", "3", "timed runs of each", {}},
      seed_parameter(),
  };
  e.columns = {
      {"recipe", "", "quantiser"},
      {"source", "", "format of the matrix"},
      {"element", "", "format of the codes"},
      {"granularity", "", "blocks that share a scale"},
      {"scale_type", "", "how scales are rounded and stored"},
      {"scale_layout", "", "how scales lie: row-major or column-major"},
      {"transposed", "", "whether the transpose is quantised too"},
      {"kernel", "", "one pass, two passes, or portable (the text of the CPU)"},
      {"rows", "", "of the matrix"},
      {"cols", "", "of the matrix"},
      {"bytes", "B", "read and written by a run, x twice in two passes"},
      {"repeats", "", "timed runs"},
      {"time", "us", "of a run, median"},
      {"rate", "GB/s", "bytes a second, median run"},
      {"rate_slowest", "GB/s", "the same of the slowest run"},
      {"rate_fastest", "GB/s", "the same of the fastest run"},
      {"copy_rate", "GB/s", "the same of a copy that moves as many bytes, median run"},
      {"share_of_copy", "", "rate over copy_rate"},
      {"registers", "", "of a thread; of several kernels the most"},
      {"local_memory", "B", "of a thread: the stack of the portable text, and spilled registers"},
  };
  e.measures_time = true;
  e.needs_device = true;
  e.keeps_figure = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments
