// How many bits of the libraries' FP8 GEMMs the profiles predict: X22.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <stdexcept>

#include "binade/cuda/gemm.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/emulation/diagnose.hpp"
#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "cublaslt.hpp"
#include "device_gemm.hpp"
#include "sampling.hpp"
#include "support.hpp"

namespace binade::experiments {

namespace {

using cuda::DeviceArray;
using cuda::DeviceGemm;
using cuda::GemmScaling;

/// The profile that should predict a path.
const GemmProfile& profile_of(const GemmPath& path) {
  switch (path.scaling) {
    case GemmScaling::kRow:
      return find_gemm_profile(path.interval == 0 ? "torch-rowwise-fast" : "torch-rowwise");
    case GemmScaling::kBlock:
      return find_gemm_profile("deepgemm");
    default:
      return find_gemm_profile(path.interval == 0 ? "cublaslt-fast" : "cublaslt");
  }
}

/// A matrix and its scales on the host and on the device.
struct Side {
  std::size_t rows = 0, scale_rows = 0, scale_cols = 0;
  std::vector<std::uint8_t> codes;
  std::vector<float> scales;
  DeviceArray device_codes, device_scales;

  GemmOperand operand() const {
    return {E4M3::format, codes.data(), rows, scales, scale_rows, scale_cols};
  }
};

struct Draw {
  std::string distribution;
  std::uint64_t seed;
};

/// Codes of one distribution; scales that are no powers of two, so that their order shows.
Side make_side(std::size_t rows, std::size_t k, const Draw& draw, std::uint64_t stream) {
  Side side;
  side.rows = rows;
  std::vector<float> numbers = sample(draw.distribution, rows * k, draw.seed, stream);
  side.codes.resize(numbers.size());
  cast(kFp32Format, numbers.data(), E4M3::format, side.codes.data(), numbers.size());
  side.device_codes = DeviceArray(std::span<const std::uint8_t>(side.codes));
  return side;
}

/// Where a scale of a side lies on the device.
struct Strides {
  std::size_t row, col;
};

/// Gives a side the scales of a path.
void set_scales(Side& side, std::size_t scale_rows, std::size_t scale_cols, Strides strides,
                const Draw& draw, std::uint64_t stream) {
  side.scale_rows = scale_rows;
  side.scale_cols = scale_cols;
  side.scales = sample("uniform01", scale_rows * scale_cols, draw.seed, stream);
  for (float& scale : side.scales) scale = 0.01f + 0.03f * scale;
  std::vector<float> placed((scale_rows - 1) * strides.row + (scale_cols - 1) * strides.col + 1);
  for (std::size_t i = 0; i < side.scales.size(); ++i) {
    placed[i / scale_cols * strides.row + i % scale_cols * strides.col] = side.scales[i];
  }
  side.device_scales = DeviceArray(std::span<const float>(placed));
}

/// One product of one path: what the library is asked, and what the profile says.
class Problem {
 public:
  Problem(GemmShape shape, const Draw& draw, FloatFormat output)
      : shape_(shape),
        draw_(draw),
        output_(output),
        a_(make_side(shape.m, shape.k, draw, 0)),
        b_(make_side(shape.n, shape.k, draw, 1)),
        d_(shape.m * shape.n * width()) {}

  DeviceGemm call(const GemmPath& path) {
    const std::size_t blocks = (shape_.k + 127) / 128;
    const bool row = path.scaling == GemmScaling::kRow;
    const bool block = path.scaling == GemmScaling::kBlock;
    // cuBLASLt takes A's scales of blocks [blocks of k, m], and pads B's rows to fours.
    const Strides a{1, block ? shape_.m : 1}, b{block ? (blocks + 3) / 4 * 4 : 1, 1};
    const std::size_t b_rows = row ? shape_.n : block ? (shape_.n + 127) / 128 : 1;
    set_scales(a_, row || block ? shape_.m : 1, block ? blocks : 1, a, draw_, 2);
    set_scales(b_, b_rows, block ? blocks : 1, b, draw_, 3);
    DeviceGemm call;
    call.m = shape_.m, call.n = shape_.n, call.k = shape_.k;
    call.a_format = call.b_format = E4M3::format;
    call.output = output_;
    call.a = a_.device_codes.data(), call.b = b_.device_codes.data(), call.d = d_.data();
    call.scaling = path.scaling;
    call.promotion_interval = path.interval;
    call.scale_a = {a_.device_scales.as<float>(), a.row, a.col};
    call.scale_b = {b_.device_scales.as<float>(), b.row, b.col};
    return call;
  }

  /// D of what `launch` computes; places that it leaves alone hold a NaN.
  std::vector<std::uint8_t> run(const std::function<void()>& launch) {
    d_.fill(0xff);
    launch();
    cuda::synchronize();
    std::vector<std::uint8_t> bytes(d_.size());
    d_.download(bytes.data(), bytes.size());
    return bytes;
  }

  std::vector<std::uint8_t> predict(const GemmPath& path, int threads) const {
    std::vector<std::uint8_t> bytes(d_.size());
    GemmOptions options;
    options.promotion_interval = path.interval;
    options.threads = threads;
    gemm(profile_of(path), a_.operand(), b_.operand(), shape_.k, output_, bytes.data(), options);
    return bytes;
  }

  /// The same with K in `parts` of whole blocks of 128, each summed by the profile, then added in
  /// FP32 in ascending order; scales of the epilogue come after that.
  std::vector<std::uint8_t> predict_split(const GemmPath& path, std::size_t parts,
                                          int threads) const {
    const bool block = path.scaling == GemmScaling::kBlock;
    GemmOptions options;
    options.promotion_interval = path.interval;
    options.threads = threads;
    std::vector<float> sum(outputs()), part(outputs());
    const std::size_t length = part_length(parts);
    for (std::size_t k = 0; k < shape_.k; k += length) {
      const Slice a(a_, shape_.k, k, std::min(k + length, shape_.k), block);
      const Slice b(b_, shape_.k, k, std::min(k + length, shape_.k), block);
      gemm(profile_of(path), a.operand, b.operand, a.k, kFp32Format, part.data(), options);
      for (std::size_t i = 0; i < sum.size(); ++i) sum[i] = k == 0 ? part[i] : sum[i] + part[i];
    }
    for (std::size_t i = 0; !block && i < sum.size(); ++i) {
      const float sa = a_.scales[a_.scales.size() == 1 ? 0 : i / shape_.n];
      const float sb = b_.scales[b_.scales.size() == 1 ? 0 : i % shape_.n];
      sum[i] = path.scaling == GemmScaling::kRow ? sum[i] * sb * sa : sum[i] * (sa * sb);
    }
    std::vector<std::uint8_t> bytes(d_.size());
    cast(kFp32Format, sum.data(), output_, bytes.data(), sum.size());
    return bytes;
  }
  std::size_t part_length(std::size_t parts) const {
    const std::size_t blocks = (shape_.k + 127) / 128;
    return (blocks + parts - 1) / parts * 128;
  }

  /// What else made an output, in the words of diagnose, from the corner of D: all that a search
  /// needs, and no more than it can afford.
  std::string explain(const std::vector<std::uint8_t>& d, int threads) const {
    const std::size_t rows = std::min<std::size_t>(shape_.m, 64);
    const std::size_t cols = std::min<std::size_t>(shape_.n, 64);
    std::vector<std::uint8_t> corner;
    for (std::size_t r = 0; r < rows; ++r) {
      const auto row = d.begin() + static_cast<std::ptrdiff_t>(r * shape_.n * width());
      corner.insert(corner.end(), row, row + static_cast<std::ptrdiff_t>(cols * width()));
    }
    DiagnoseOptions with;
    with.threads = threads;
    const GemmDiagnosis found =
        diagnose(head(a_, rows), head(b_, cols), shape_.k, output_, corner.data(), with);
    return (found.exact.empty() ? "closest: " : "") + found.closest.text;
  }

  std::size_t outputs() const { return shape_.m * shape_.n; }
  std::size_t width() const { return static_cast<std::size_t>(output_.container_bits()) / 8; }
  GemmShape shape() const { return shape_; }

 private:
  /// Columns k0 to k1 of a side, with the scales of its blocks if they go along K.
  struct Slice {
    std::vector<std::uint8_t> codes;
    std::vector<float> scales;
    std::size_t k;
    GemmOperand operand;

    Slice(const Side& side, std::size_t whole_k, std::size_t k0, std::size_t k1, bool block)
        : k(k1 - k0), operand(side.operand()) {
      for (std::size_t r = 0; r < side.rows; ++r) {
        const auto row = side.codes.begin() + static_cast<std::ptrdiff_t>(r * whole_k);
        codes.insert(codes.end(), row + static_cast<std::ptrdiff_t>(k0),
                     row + static_cast<std::ptrdiff_t>(k1));
      }
      operand.codes = codes.data();
      operand.scale_rows = block ? side.scale_rows : 0;
      operand.scale_cols = block ? (k + 127) / 128 : 0;
      for (std::size_t i = 0; i < operand.scale_rows * operand.scale_cols; ++i) {
        scales.push_back(side.scales[i / operand.scale_cols * side.scale_cols + k0 / 128 +
                                     i % operand.scale_cols]);
      }
      operand.scales = scales;
    }
    Slice(const Slice&) = delete;
    Slice& operator=(const Slice&) = delete;
  };

  /// The first rows of a side, with the scales that are theirs.
  static GemmOperand head(const Side& side, std::size_t rows) {
    GemmOperand operand = side.operand();
    const std::size_t rows_of_scale = (side.rows + side.scale_rows - 1) / side.scale_rows;
    operand.rows = rows;
    operand.scale_rows = (rows + rows_of_scale - 1) / rows_of_scale;
    operand.scales = operand.scales.first(operand.scale_rows * operand.scale_cols);
    return operand;
  }

  GemmShape shape_;
  Draw draw_;
  FloatFormat output_;
  Side a_, b_;
  DeviceArray d_;
};

std::size_t equal_outputs(const std::vector<std::uint8_t>& x, const std::vector<std::uint8_t>& y,
                          std::size_t width) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < x.size(); i += width) {
    equal += std::memcmp(&x[i], &y[i], width) == 0 ? 1 : 0;
  }
  return equal;
}

/// The rows of one problem and path: the library's algorithms, then our kernel.
void add_rows(Table& table, Problem& problem, const GemmPath& path, const std::string& distribution,
              CublasLt* library, std::size_t algorithms, int threads) {
  const DeviceGemm call = problem.call(path);
  const auto predicted = problem.predict(path, threads);
  const auto add = [&](const std::string& kernel, const std::string& algorithm, std::size_t split,
                       const std::vector<std::uint8_t>& d) {
    std::size_t equal = equal_outputs(d, predicted, problem.width());
    std::string explanation = "the profile";
    if (equal != problem.outputs() && split > 1) {
      equal = equal_outputs(d, problem.predict_split(path, split, threads), problem.width());
      explanation += ", K in parts of " + std::to_string(problem.part_length(split));
    }
    if (equal != problem.outputs()) explanation = problem.explain(d, threads);
    const GemmShape s = problem.shape();
    table.rows.push_back({kernel, path.name, profile_of(path).name, count_cell(s.m),
                          count_cell(s.n), count_cell(s.k), distribution, algorithm,
                          count_cell(split), count_cell(problem.outputs()), count_cell(equal),
                          static_cast<double>(equal) / static_cast<double>(problem.outputs()),
                          explanation});
  };
  for (std::size_t i = 0; library != nullptr && i < algorithms; ++i) {
    try {
      CublasLt::Matmul matmul(*library, call, i);
      add("cublaslt", matmul.algorithm(), matmul.split(), problem.run([&] { matmul.run(call); }));
    } catch (const std::runtime_error& error) {
      if (i == 0) {
        const GemmShape s = problem.shape();
        table.notes.push_back(s.text() + " " + path.name + ": " + error.what());
      }
      break;
    }
  }
  add("binade", "-", 1, problem.run([&] { cuda::gemm_hw(call); }));
}

Table run(const Arguments& arguments) {
  cuda::require_device(90, "library_bits");
  const std::string library_path = arguments.text("library");
  std::unique_ptr<CublasLt> library;
  if (library_path != "none") library = std::make_unique<CublasLt>(library_path);
  const auto shapes = arguments.text_list("shapes"), paths = arguments.text_list("paths");
  const auto drawn = arguments.text_list("distributions");
  const FloatFormat output = parse_format(arguments.text("output")).format;
  Progress progress{arguments, shapes.size() * paths.size() * drawn.size()};
  Table table;
  for (const std::string& shape : shapes) {
    for (const std::string& distribution : drawn) {
      Problem problem(parse_gemm_shape(shape), {distribution, seed_argument(arguments)}, output);
      for (const std::string& path : paths) {
        add_rows(table, problem, parse_gemm_path(path), distribution, library.get(),
                 size_argument(arguments, "algorithms"), arguments.threads);
        progress.step();
      }
    }
  }
  return table;
}

}  // namespace

Experiment library_bits() {
  Experiment e;
  e.name = "library_bits";
  e.question = "Which share of a library's FP8 outputs is predicted to the bit?";
  e.source =
      "this project; cuBLASLt, which torch._scaled_mm calls; the order of DeepGEMM 54e2261 is that "
      "of its 1x128 by 128x128 scaling";
  e.parameters = {
      {"shapes",
       "128x256x512,256x256x4096,1024x1024x7168,4096x7168x2048,64x7168x16384,208x272x1040",
       "32x64x128",
       "M x N x K",
       {}},
      {"paths",
       "tensor-0,tensor-128,row-0,row-128,block-128",
       "tensor-0,block-128",
       "scaling and promotion interval, as of device_gemm_throughput",
       {}},
      {"distributions", "normal,uniform01", "normal", "of A and of B", distribution_names()},
      {"output", "fp32", "", "format of D", {"fp32", "bf16"}},
      {"algorithms", "8", "1", "of the library's heuristic, at most", {}},
      {"library", "libcublasLt.so.13", "none", "cuBLASLt: name or path, or none", {}},
      seed_parameter(),
  };
  e.columns = {
      {"kernel", "", "cublaslt or binade"},
      {"path", "", "scaling and promotion interval"},
      {"profile", "", "that predicts it"},
      {"m", "", "rows of A and D"},
      {"n", "", "rows of B, columns of D"},
      {"k", "", "products of one output"},
      {"distribution", "", "of A and of B, in e4m3; scales uniform in 0.01 to 0.04"},
      {"algorithm", "", "the library's, in its numbers"},
      {"split", "", "parts of K that the algorithm sums apart; 1: none"},
      {"outputs", "", "compared"},
      {"equal", "", "of them, in every bit, K in as many parts"},
      {"share", "", "equal over outputs"},
      {"explained_by", "", "what gives the bits: the profile, or what diagnose found"},
  };
  e.needs_device = true;
  e.keeps_figure = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments
