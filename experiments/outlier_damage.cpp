// What one large element costs all the others, when they share its scale.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "binade/emulation/block_scale.hpp"
#include "read_back.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

/// A matrix and the one element that the experiment makes larger.
struct Subject {
  InputTensor matrix;
  std::size_t outlier;   ///< index of that element
  float outlier_at_one;  ///< its value where the ratio is 1
};

Subject random_subject(const Arguments& arguments) {
  const std::size_t rows = size_argument(arguments, "rows"),
                    cols = size_argument(arguments, "cols");
  const std::string name = arguments.text("distribution");
  return {
      {name, sample(name, rows * cols, seed_argument(arguments), 0, arguments.threads), rows, cols},
      rows / 2 * cols + cols / 2,
      1.0f};
}

Subject tensor_subject(const InputTensor& tensor) {
  const auto largest = std::ranges::max_element(
      tensor.values, {}, [](float x) { return std::isfinite(x) ? std::fabs(x) : INFINITY; });
  if (largest == tensor.values.end() || !std::isfinite(*largest) || *largest == 0) {
    throw std::invalid_argument("tensor " + tensor.name +
                                ": it must have elements, all finite and not all zero");
  }
  return {tensor, static_cast<std::size_t>(largest - tensor.values.begin()), *largest};
}

struct Damage {
  double rel_rms = 0;    ///< over all elements but the outlier
  double underflow = 0;  ///< share of them that became zero and was not
};

/// Sums row by row, then over the rows in order: the same on any number of threads.
Damage damage(const Subject& subject, std::span<const float> read_back, int threads) {
  const std::vector<float>& x = subject.matrix.values;
  const std::size_t rows = subject.matrix.rows, cols = subject.matrix.cols;
  struct Sums {
    double error = 0, signal = 0;
    std::size_t zeros = 0, others = 0;
  };
  std::vector<Sums> by_row(rows);
  const int team = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for num_threads(team) schedule(static)
  for (std::size_t row = 0; row < rows; ++row) {
    Sums sums;
    for (std::size_t i = row * cols; i < (row + 1) * cols; ++i) {
      if (i == subject.outlier) continue;
      const double value = x[i], error = static_cast<double>(read_back[i]) - value;
      sums.error += error * error;
      sums.signal += value * value;
      sums.zeros += read_back[i] == 0 && value != 0;
      sums.others += value != 0;
    }
    by_row[row] = sums;
  }
  Sums total;
  for (const Sums& sums : by_row) {
    total.error += sums.error;
    total.signal += sums.signal;
    total.zeros += sums.zeros;
    total.others += sums.others;
  }
  if (total.others == 0) return {};
  return {std::sqrt(total.error / total.signal),
          static_cast<double>(total.zeros) / static_cast<double>(total.others)};
}

Table run(const Arguments& arguments) {
  Subject subject =
      arguments.tensor ? tensor_subject(*arguments.tensor) : random_subject(arguments);
  InputTensor& m = subject.matrix;
  const auto formats = arguments.text_list("formats"), scalings = arguments.text_list("scalings");
  const auto ratios = arguments.number_list("ratios");
  std::vector<float> read_back(m.values.size());

  Table table;
  Progress progress{arguments, formats.size() * scalings.size() * ratios.size()};
  for (const std::string& format : formats) {
    for (const std::string& name : scalings) {
      const Scaling scaling = find_scaling(name, arguments.text("recipe"));
      for (const double ratio : ratios) {
        m.values[subject.outlier] = static_cast<float>(ratio) * subject.outlier_at_one;
        const Quantized q =
            quantize(m.values, m.rows, m.cols, scaling.recipe, scaling.granularity,
                     scaling.scale_type, parse_element_format(format), arguments.threads);
        dequantize(q, read_back, arguments.threads);
        const Damage d = damage(subject, read_back, arguments.threads);
        const double largest_scale = *std::ranges::max_element(q.scales);
        table.rows.push_back({format, scaling.name, m.name, ratio,
                              static_cast<double>(m.values[subject.outlier]), largest_scale,
                              d.rel_rms, d.underflow});
        progress.step();
      }
    }
  }
  if (arguments.tensor) {
    table.notes.push_back("the outlier is the tensor's own largest element, number " +
                          std::to_string(subject.outlier) + ", times the ratio");
  }
  return table;
}

}  // namespace

Experiment outlier_damage() {
  Experiment e;
  e.name = "outlier_damage";
  e.question = "What does one outlier cost the elements that share its scale?";
  e.source =
      "arXiv 2303.17951 and 2208.09225 (FP8 against INT8). FP8 keeps its relative precision until "
      "elements fall below its normal range, at amax / sigma near 448 / 2^-6; INT8 does not";
  e.parameters = {
      {"formats", "e4m3,e5m2,int8", "", "element formats", {}},
      {"scalings",
       "tensor,1x128,128x128,mx",
       "",
       "blocks that share a scale; mx is OCP MX 1x32",
       {}},
      {"ratios",
       "10,20,30,100,300,1000,3000,1e4,3e4,1e5,3e5,1e6",
       "10,1e5",
       "size of the outlier in standard deviations, or times a tensor's own largest element",
       {}},
      {"rows", "1024", "128", "rows of the random matrix", {}},
      {"cols", "1024", "256", "columns of the random matrix", {}},
      {"distribution", "normal", "", "of the other elements, at scale 1", distribution_names()},
      {"recipe", "deepgemm", "", "quantiser of the scalings other than mx", {}},
      seed_parameter(),
  };
  e.columns = {
      {"format", "", "element format"},
      {"scaling", "", "block that shares a scale"},
      {"distribution", "", "of the elements, or the tensor"},
      {"outlier_ratio", "",
       "size of the outlier over the distribution's scale, or over the "
       "tensor's largest element"},
      {"outlier", "", "value of the outlier"},
      {"scale", "", "largest scale of the matrix, the dequantisation factor"},
      {"rel_rms", "", "root mean square error of the other elements over their root mean square"},
      {"underflow", "", "share of the other elements that were not zero and became so"},
  };
  e.takes_tensor = true;
  e.keeps_figure = true;
  e.findings = {
      {"E4M3, one scale a tensor, outlier of 1e4 sigma",
       "2.71 % (calculated)",
       "2.72 %",
       "reproduced",
       "rel_rms",
       {{"rows", "2048"},
        {"cols", "2048"},
        {"formats", "e4m3"},
        {"scalings", "tensor"},
        {"ratios", "1e4"}},
       {},
       {}},
      {"E4M3, one scale a tensor, outlier of 1e5 sigma",
       "12.6 % (calculated)",
       "12.58 %",
       "reproduced",
       "rel_rms",
       {{"rows", "2048"},
        {"cols", "2048"},
        {"formats", "e4m3"},
        {"scalings", "tensor"},
        {"ratios", "1e5"}},
       {},
       {}},
      {"E4M3, one scale a tensor, outlier of 1e6 sigma",
       "95.4 % (calculated)",
       "95.39 %",
       "reproduced",
       "rel_rms",
       {{"rows", "2048"},
        {"cols", "2048"},
        {"formats", "e4m3"},
        {"scalings", "tensor"},
        {"ratios", "1e6"}},
       {},
       {}},
      {"INT8, one scale a tensor, outlier of 100 sigma",
       "22.7 % (calculated)",
       "22.73 %",
       "reproduced",
       "rel_rms",
       {{"rows", "2048"},
        {"cols", "2048"},
        {"formats", "int8"},
        {"scalings", "tensor"},
        {"ratios", "100"}},
       {},
       {}},
  };
  e.run = run;
  return e;
}

}  // namespace binade::experiments
