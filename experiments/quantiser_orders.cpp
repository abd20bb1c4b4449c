// How often quantisers that divide, multiply or round in another order give other codes.
#include "binade/formats/catalog.hpp"
#include "read_back.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

double share(std::size_t part, std::size_t whole) {
  return static_cast<double>(part) / static_cast<double>(whole);
}

std::vector<Cell> compare(const std::string& inputs, const std::string& type, const std::string& a,
                          const std::string& b, const Quantized& qa, const Quantized& qb) {
  std::size_t codes = 0, scales = 0;
  for (std::size_t i = 0; i < qa.codes.size(); ++i) codes += qa.codes[i] != qb.codes[i];
  for (std::size_t i = 0; i < qa.scales.size(); ++i) scales += qa.scales[i] != qb.scales[i];
  return {inputs,
          type,
          a,
          b,
          count_cell(codes),
          share(codes, qa.codes.size()),
          share(scales, qa.scales.size())};
}

InputTensor random_input(const Arguments& arguments) {
  const std::size_t rows = size_argument(arguments, "rows"),
                    cols = size_argument(arguments, "cols");
  const std::string name = arguments.text("distribution");
  InputTensor x{name, sample(name, rows * cols, seed_argument(arguments), 0, arguments.threads),
                rows, cols};
  round_to(Bf16::format, x.values, x.values);
  return x;
}

Table run(const Arguments& arguments) {
  const InputTensor x = arguments.tensor ? *arguments.tensor : random_input(arguments);
  const auto recipes = arguments.text_list("recipes"), types = arguments.text_list("scale_types");
  const FloatFormat element = parse_element_format(arguments.text("format"));
  if (element.bits() > 8) {
    throw std::invalid_argument("parameter format: found '" + arguments.text("format") +
                                "', expected a format of at most 8 bits");
  }
  Table table;
  Progress progress{arguments, types.size() * recipes.size()};
  for (const std::string& type : types) {
    std::vector<Quantized> done;
    for (const std::string& recipe : recipes) {
      done.push_back(quantize(x.values, x.rows, x.cols, find_scale_recipe(recipe), {1, 128},
                              parse_scale_type(type), element, arguments.threads));
      for (std::size_t other = 0; other + 1 < done.size(); ++other) {
        table.rows.push_back(
            compare(x.name, type, recipes[other], recipe, done[other], done.back()));
      }
      progress.step();
    }
  }
  return table;
}

}  // namespace

Experiment quantiser_orders() {
  Experiment e;
  e.name = "quantiser_orders";
  e.question = "Do quantisers of one definition give the same codes?";
  e.source =
      "DeepSeek-V3 and V3.2 inference kernels, DeepGEMM (whose a / 448 is a * fl(1/448) on CUDA "
      "tensors), TileKernels, TransformerEngine: all scale 1x128 to amax / 448";
  e.parameters = {
      {"recipes",
       "deepgemm,deepgemm-cuda,deepseek-v3,deepseek-v3.2,tilekernels,transformer-engine",
       "deepgemm,deepseek-v3",
       "quantisers",
       {}},
      {"scale_types", "fp32,pow2", "", "how scales are stored", {"fp32", "pow2"}},
      {"rows", "20000", "100", "rows of the random matrix, of BF16 numbers", {}},
      {"cols", "128", "", "columns of the random matrix", {}},
      {"distribution", "normal", "", "of the elements", distribution_names()},
      {"format", "e4m3", "", "element format", {}},
      seed_parameter(),
  };
  e.columns = {
      {"inputs", "", "distribution, or the tensor"},
      {"scale_type", "", "how scales are stored"},
      {"first", "", "recipe"},
      {"second", "", "recipe"},
      {"codes", "", "how many codes differ"},
      {"codes_differing", "", "share of the codes"},
      {"scales_differing", "", "share of the scales"},
  };
  e.takes_tensor = true;
  e.keeps_figure = true;
  e.findings = {
      {"codes that differ, deepgemm and deepseek-v3",
       "4.9e-4 (calculated)",
       "4.89e-4",
       "reproduced",
       "codes_differing",
       {{"rows", "60000"}, {"recipes", "deepgemm,deepseek-v3"}, {"scale_types", "fp32"}},
       {},
       {}},
      {"codes that differ, deepgemm and tilekernels",
       "1.8e-4 (calculated)",
       "1.80e-4",
       "reproduced",
       "codes_differing",
       {{"rows", "60000"}, {"recipes", "deepgemm,tilekernels"}, {"scale_types", "fp32"}},
       {},
       {}},
      {"codes that differ, deepseek-v3 and deepseek-v3.2",
       "1.16e-3 (calculated)",
       "1.16e-3",
       "reproduced",
       "codes_differing",
       {{"rows", "60000"}, {"recipes", "deepseek-v3,deepseek-v3.2"}, {"scale_types", "fp32"}},
       {},
       {}},
      {"codes that differ, deepgemm and deepgemm-cuda",
       "1.64e-3 (calculated)",
       "1.64e-3",
       "reproduced",
       "codes_differing",
       {{"rows", "60000"}, {"recipes", "deepgemm,deepgemm-cuda"}, {"scale_types", "fp32"}},
       {},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments
