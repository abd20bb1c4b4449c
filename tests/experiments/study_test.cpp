// A study's figures against experiments that measure the same, and its choices by hand.
#include "binade/experiments/study.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "binade/formats/catalog.hpp"
#include "catch.hpp"
#include "sampling.hpp"
#include "table.hpp"

using namespace binade;
using namespace binade::experiments;

namespace {

struct Matrix {
  std::size_t rows = 0, cols = 0;
  std::vector<float> values;

  RowSource source() const {
    RowSource s;
    s.rows = rows;
    s.cols = cols;
    s.read = [this](std::size_t first, std::span<float> into) {
      std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(first * cols), into.size(),
                  into.begin());
    };
    return s;
  }
};

Matrix random(std::size_t rows, std::size_t cols, std::uint64_t seed,
              const char* distribution = "normal") {
  return {rows, cols, sample(distribution, rows * cols, seed)};
}

study::Options options_of(const std::vector<std::string>& treatments) {
  study::Options options;
  for (const std::string& text : treatments) {
    options.treatments.push_back(study::parse_treatment(text, E4M3::format));
  }
  return options;
}

study::Layer studied(const Matrix& w, const Matrix* x, const study::Options& options) {
  const RowSource weights = w.source();
  if (x == nullptr) return study::study_layer("w", weights, nullptr, options);
  const RowSource activations = x->source();
  return study::study_layer("w", weights, &activations, options);
}

}  // namespace

TEST_CASE("what is lost in summing is what promotion_interval measures") {
  for (const char* distribution : {"normal", "uniform01"}) {
    const Matrix x = random(16, 2048, 1, distribution), w = random(32, 2048, 2, distribution);
    study::Options options = options_of({"deepgemm:tensor"});
    options.weight_rows = options.activation_rows = 64;  // all of them
    const study::Layer layer = studied(w, &x, options);
    const Experiment& e = find_experiment("promotion_interval");
    Arguments arguments = make_arguments(e, {{"intervals", "0,4"}, {"contrast", "none"}});
    arguments.tensor = InputTensor{"x", x.values, x.rows, x.cols};
    arguments.second_tensor = InputTensor{"w", w.values, w.rows, w.cols};
    const Result r{e, e.run(arguments)};
    INFO(distribution);
    // The same but for what FP32 scales round: 2^-24 beside 1e-4.
    CHECK(layer.costs[0].unpromoted_error.value() == Approx(r.number(0, "fro_rel")).epsilon(2e-3));
    CHECK(layer.costs[0].accumulate_error.value() == Approx(r.number(1, "fro_rel")).epsilon(2e-3));
  }
}

TEST_CASE("statistics are format_sqnr's; the errors of both operands meet in the outputs") {
  const Matrix x = random(64, 1024, 1), w = random(256, 1024, 2);
  const study::Layer layer =
      studied(w, &x, options_of({"deepgemm:tensor", "deepgemm:1x128", "ocp-mx", "nvfp4"}));
  const double expected[] = {31.54, 31.80, 30.64, 20.44};
  for (std::size_t i = 0; i < 4; ++i) {
    INFO(i);
    const study::Cost& c = layer.costs[i];
    CHECK(c.weights.count == 256 * 1024);
    CHECK(c.weights.sqnr_db() == Approx(expected[i]).margin(0.12));
    // Independent errors of one size: 3 dB below either.
    CHECK(c.sqnr_db().value() == Approx(expected[i] - 3.01).margin(0.2));
    CHECK(c.sqnr_db().value() == Approx(-20 * std::log10(c.output_error.value())));
  }
  CHECK(layer.costs[0].bits == Approx(8 + 32.0 / (256 * 1024)));
  CHECK(layer.costs[1].bits == 8.25);
  CHECK(layer.costs[2].bits == 8.25);
  CHECK(layer.costs[3].bits == Approx(4.5 + 32.0 / (256 * 1024)));
  CHECK(layer.rank == std::vector<std::size_t>{2, 1, 3, 4});
  CHECK(layer.recommended.value() == 0);
  CHECK(!layer.costs[1].unpromoted_error);
  CHECK(!layer.costs[3].accumulate_error);  // no E2M1 on Hopper
}

TEST_CASE("the recommended recipe has the fewest bits that keep enough; else there is none") {
  const Matrix w = random(128, 256, 3);
  for (const auto& [least, expected] :
       {std::pair{15.0, 1}, {20.0, 1}, {25.0, 0}, {31.0, 0}, {40.0, -1}}) {
    study::Options options = options_of({"deepgemm:tensor", "nvfp4"});
    options.least_db = least;
    INFO(least);
    const study::Layer layer = studied(w, nullptr, options);
    CHECK((layer.recommended ? static_cast<int>(*layer.recommended) : -1) == expected);
    CHECK(!layer.costs[0].activations);
    CHECK(!layer.costs[0].output_error);
    CHECK(layer.costs[0].accumulate_error.value() > 0);
  }
}

TEST_CASE("panels and threads change nothing") {
  Matrix w = random(300, 160, 4), x = random(200, 160, 5);
  w.values[290 * 160 + 7] = 60;
  study::Options options = options_of(study::default_treatments());
  options.threads = 1;
  const study::Layer whole = studied(w, &x, options);
  options.panel = 4000;
  options.threads = 3;
  const study::Layer pieces = studied(w, &x, options);
  CHECK(study::rows_of(whole, options) == study::rows_of(pieces, options));
}

TEST_CASE("layers of zeros, of NaN, of one row, and of other lengths") {
  const study::Options options = options_of(study::default_treatments());
  Matrix w{4, 64, std::vector<float>(256, 0.0f)};
  const Matrix x = random(3, 64, 6);
  const study::Layer zeros = studied(w, &x, options);
  CHECK(!zeros.recommended);
  CHECK(zeros.rank == std::vector<std::size_t>(5, 0));
  CHECK(!zeros.costs[0].sqnr_db());
  w = random(4, 64, 7);
  w.values[70] = std::numeric_limits<float>::quiet_NaN();
  const study::Layer nan = studied(w, &x, options);
  CHECK(nan.costs[0].weights.nonfinite == 1);
  CHECK(!nan.costs[0].sqnr_db());
  CHECK(!studied(w, nullptr, options).recommended);
  const study::Layer one = studied(random(1, 40, 8), nullptr, options);
  CHECK(one.recommended);
  const std::size_t width = study::columns().size();
  for (const auto& layer : {zeros, nan, one}) {
    for (const auto& row : study::rows_of(layer, options)) CHECK(row.size() == width);
  }
  CHECK_THROWS_WITH(studied(random(4, 32, 9), &x, options),
                    ContainsSubstring("K = 32") && ContainsSubstring("64"));
}

TEST_CASE("blocks that no GEMM of a library has are quantised, and not summed") {
  const Matrix w = random(300, 160, 10), x = random(70, 160, 11);
  const study::Options options =
      options_of({"deepgemm:64x64", "deepgemm:5x3", "deepgemm:column", "nvfp4:7x16", "ocp-mx"});
  const study::Layer layer = studied(w, &x, options);
  for (std::size_t i = 0; i < 5; ++i) {
    INFO(i);
    CHECK(layer.costs[i].output_error.value() < 0.2);
    CHECK(layer.costs[i].accumulate_error.has_value() == (i == 4));
  }
}

TEST_CASE("exact numbers stay exact") {
  const Matrix w{2, 64, std::vector<float>(128, 0.5f)}, x{2, 64, std::vector<float>(128, 2.0f)};
  const study::Layer layer = studied(w, &x, options_of({"deepgemm:tensor"}));
  CHECK(layer.costs[0].weights.noise < 1e-12);
  CHECK(layer.costs[0].output_error.value() < 1e-6);
  const study::Treatment t = study::parse_treatment("deepseek-v3:128x128", E5M2::format);
  CHECK(t.activations == Granularity{1, 128});
  CHECK(t.element == E5M2::format);
  CHECK(study::parse_treatment("nvfp4", E5M2::format).element == E2M1::format);
  CHECK(study::parse_treatment("deepseek-v3:row", E4M3::format).activations == kPerRow);
  CHECK_THROWS_WITH(study::parse_treatment("nvfp", E4M3::format), ContainsSubstring("nvfp4"));
}
