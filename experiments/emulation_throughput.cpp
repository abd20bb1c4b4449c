// How fast a GEMM is emulated, beside a plain FP32 product on the same cores.
#include <omp.h>

#include <algorithm>

#include "binade/emulation/gemm.hpp"
#include "binade/formats/catalog.hpp"
#include "limits.hpp"
#include "sampling.hpp"
#include "support.hpp"
#include "timing.hpp"

namespace binade::experiments {

namespace {

constexpr const char* kLimit = "eigen-sgemm";

struct Shape {
  std::size_t m, n, k;
  std::string name() const {
    return std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  }
};

Shape parse_shape(const std::string& text) {
  Shape s{};
  char end = 0;
  if (std::sscanf(text.c_str(), "%zux%zux%zu%c", &s.m, &s.n, &s.k, &end) != 3 || s.m == 0 ||
      s.n == 0 || s.k == 0) {
    throw std::invalid_argument("parameter shapes: found '" + text + "', expected MxNxK");
  }
  return s;
}

/// The operands of one shape: random numbers in fp32 and in codes.
struct Operands {
  std::vector<float> a, b;
  std::vector<std::uint8_t> a_codes, b_codes;

  Operands(Shape s, FloatFormat element, const Arguments& arguments)
      : a(sample("normal", s.m * s.k, seed_argument(arguments), 0)),
        b(sample("normal", s.n * s.k, seed_argument(arguments), 1)),
        a_codes(a.size() * static_cast<std::size_t>(element.container_bits()) / 8),
        b_codes(b.size() * static_cast<std::size_t>(element.container_bits()) / 8) {
    cast(kFp32Format, a.data(), element, a_codes.data(), a.size());
    cast(kFp32Format, b.data(), element, b_codes.data(), b.size());
  }
};

/// A profile or the FP32 product, on one shape, ISA and number of threads.
struct Trial : Timed {
  std::string profile, format;
  Shape shape;
  int threads;
};

/// Rows of A are shared among the threads, as the tiles of the emulation are.
void run_sgemm(const Operands& x, Shape s, int threads, std::vector<float>& d) {
  const auto product = limits().sgemm;
#pragma omp parallel num_threads(threads)
  {
    const auto all = static_cast<std::size_t>(omp_get_num_threads());
    const auto mine = static_cast<std::size_t>(omp_get_thread_num());
    const std::size_t first = s.m * mine / all, last = s.m * (mine + 1) / all;
    if (first < last) {
      product(x.a.data() + first * s.k, x.b.data(), d.data() + first * s.n, last - first, s.n, s.k);
    }
  }
}

void add_row(Table& table, const std::vector<Trial>& trials, const Trial& t) {
  double limit = 0;
  for (const Trial& other : trials) {
    if (other.profile == kLimit && other.shape.name() == t.shape.name() && other.isa == t.isa &&
        other.threads == t.threads) {
      limit = other.rate(0.5);
    }
  }
  table.rows.push_back({t.profile, t.format, t.shape.name(), count_cell(t.shape.m),
                        count_cell(t.shape.n), count_cell(t.shape.k), std::string(isa_name(t.isa)),
                        std::int64_t{t.threads}, count_cell(t.seconds.size()), t.rate(0.5),
                        t.rate(0.0), t.rate(1.0), t.rate(0.5) / limit});
}

Table run(const Arguments& arguments) {
  const FormatInfo format = parse_format(arguments.text("format"));
  const std::size_t repeats = size_argument(arguments, "repeats");
  std::vector<Shape> shapes;
  for (const std::string& text : arguments.text_list("shapes")) shapes.push_back(parse_shape(text));
  std::vector<Operands> operands;
  std::size_t largest = 0;
  for (const Shape& s : shapes) {
    operands.emplace_back(s, format.format, arguments);
    largest = std::max(largest, s.m * s.n);
  }
  std::vector<float> d(largest);
  std::vector<Trial> trials;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    const Shape s = shapes[i];
    const Operands& x = operands[i];
    for (const Isa isa : isa_argument(arguments)) {
      for (const std::int64_t count : arguments.integer_list("threads_list")) {
        const int threads = static_cast<int>(checked_size("threads_list", count));
        const auto add = [&](std::string profile, std::string of, std::function<void()> run_it) {
          const auto work = static_cast<double>(s.m * s.n * s.k);
          trials.push_back(
              {{isa, work, std::move(run_it)}, std::move(profile), std::move(of), s, threads});
        };
        add(kLimit, "fp32", [&x, s, threads, &d] { run_sgemm(x, s, threads, d); });
        for (const std::string& name : arguments.text_list("profiles")) {
          const GemmProfile& profile = find_gemm_profile(name);
          const FloatFormat f = format.format;
          add(name, format.name, [&x, &profile, s, threads, f, &d] {
            GemmOptions options;
            options.threads = threads;
            gemm(profile, {f, x.a_codes.data(), s.m}, {f, x.b_codes.data(), s.n}, s.k, kFp32Format,
                 d.data(), options);
          });
        }
      }
    }
  }
  time_interleaved(trials, repeats, arguments);
  Table table;
  for (const Trial& trial : trials) add_row(table, trials, trial);
  table.notes.push_back(
      "eigen-sgemm is Eigen's FP32 product compiled for the same ISA, rows of A "
      "shared among the threads; rates are of wall time, so other work on the "
      "machine lowers them");
  return table;
}

}  // namespace

Experiment emulation_throughput() {
  Experiment e;
  e.name = "emulation_throughput";
  e.question = "How fast is a GEMM emulated bit for bit, beside a plain FP32 product?";
  e.source = "this project; the limit is Eigen's sgemm";
  e.parameters = {
      {"profiles",
       "cublaslt-fast,cublaslt,deepgemm,fp32-sequential,exact",
       "cublaslt-fast,deepgemm",
       "GEMM profiles",
       {}},
      {"shapes", "512x512x1024,64x512x2048", "16x32x128,1x8x64", "M x N x K of the products", {}},
      {"format", "e4m3", "", "element format of A and B", {}},
      isa_parameter(),
      {"threads_list", "1,2", "1", "numbers of threads", {}},
      {"repeats", "7", "3", "timed runs of each, interleaved", {}},
      seed_parameter(),
  };
  e.columns = {
      {"profile", "", "GEMM profile, or eigen-sgemm"},
      {"format", "", "element format of A and B"},
      {"shape", "", "M x N x K"},
      {"m", "", "rows of A"},
      {"n", "", "rows of B, columns of the result"},
      {"k", "", "length of the dot products"},
      {"isa", "", "instruction set of the loops"},
      {"threads", "", "threads"},
      {"repeats", "", "timed runs"},
      {"rate", "G/s", "multiply-accumulates a second of wall time, median run"},
      {"rate_slowest", "G/s", "the same of the slowest run"},
      {"rate_fastest", "G/s", "the same of the fastest run"},
      {"share_of_sgemm", "", "median rate over that of eigen-sgemm on the same ISA and threads"},
  };
  e.measures_time = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments
