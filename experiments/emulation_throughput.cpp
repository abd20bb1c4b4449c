// How fast a GEMM is emulated, beside a plain FP32 product on the same cores.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "binade/emulation/gemm.hpp"
#include "binade/emulation/instructions.hpp"
#include "binade/formats/catalog.hpp"
#include "gemm_shape.hpp"
#include "limits.hpp"
#include "sampling.hpp"
#include "support.hpp"
#include "timing.hpp"

namespace binade::experiments {

namespace {

constexpr const char* kLimit = "eigen-sgemm";
constexpr const char* kRows = "dot-rows";  ///< not a profile: rows of A against rows of B, by dot

/// Model cards beside the wgmma instruction of a format: what no lane of floating point holds.
struct Card {
  const char* name;
  void (*change)(Instruction&);
};
constexpr Card kCards[] = {
    {"card-wide", [](Instruction& i) { i.model.alignment_fraction_bits = 48; }},
    {"card-normalised",
     [](Instruction& i) { i.model.normalize_products = i.model.zeros_join_maximum = true; }},
    {"card-one-product",
     [](Instruction& i) {
       i.k = i.model.step_k = 1;
       i.model.normalize_products = i.model.zeros_join_maximum = true;
       i.model.result_rounding = Rounding::kNearestEven;
     }},
};

/// The operands of one shape: random numbers in fp32 and in codes.
struct Operands {
  std::vector<float> a, b;
  std::vector<std::uint8_t> a_codes, b_codes;

  Operands(GemmShape s, FloatFormat element, const Arguments& arguments)
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
  GemmShape shape;
  int threads;
};

/// Rows of A are shared among the threads, as the tiles of the emulation are.
void run_sgemm(const Operands& x, GemmShape s, int threads, std::vector<float>& d) {
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
    if (other.profile == kLimit && other.shape.text() == t.shape.text() && other.isa == t.isa &&
        other.threads == t.threads) {
      limit = other.rate(0.5);
    }
  }
  table.rows.push_back({t.profile, t.format, t.shape.text(), count_cell(t.shape.m),
                        count_cell(t.shape.n), count_cell(t.shape.k), std::string(isa_name(t.isa)),
                        std::int64_t{t.threads}, count_cell(t.seconds.size()), t.rate(0.5),
                        t.rate(0.0), t.rate(1.0), t.rate(0.5) / limit});
}

/// What one trial calls, and the multiply-accumulates of one call.
struct Work {
  std::function<void()> once;
  double products;
};

const Instruction& wgmma(FloatFormat f) {
  const std::string type = f == Fp16::format ? "f16" : format_name(f);
  return find_instruction("hopper.wgmma.f32." + type + "." + type);
}

/// Rows of A against as many rows of B, each pair once.
Work rows_of_dots(const Operands& x, GemmShape s, FloatFormat f, int threads,
                  std::vector<float>& d) {
  const Instruction& i = wgmma(f);
  const std::size_t rows = std::min(s.m, s.n);
  return {[&x, &i, s, rows, threads, &d, zeros = std::vector<float>(rows)] {
            dot(i, x.a_codes.data(), x.b_codes.data(), zeros.data(), d.data(), rows, s.k, threads);
          },
          static_cast<double>(rows * s.k)};
}

Work emulated(const std::string& name, const Operands& x, GemmShape s, FloatFormat f, int threads,
              std::vector<float>& d) {
  if (name == kRows) return rows_of_dots(x, s, f, threads, d);
  std::optional<Instruction> card;
  for (const Card& c : kCards) {
    if (c.name == name) c.change(card.emplace(wgmma(f)));
  }
  const GemmProfile& profile = find_gemm_profile(card ? "cublaslt-fast" : name);
  return {[&x, &profile, card, s, threads, f, &d] {
            GemmOptions options;
            options.threads = threads;
            if (card) options.instruction = &*card;
            gemm(profile, {f, x.a_codes.data(), s.m}, {f, x.b_codes.data(), s.n}, s.k, kFp32Format,
                 d.data(), options);
          },
          static_cast<double>(s.m * s.n * s.k)};
}

/// Small products are done several times in a run, so that the clock can tell.
Trial make_trial(Isa isa, std::string profile, std::string format, GemmShape s, int threads,
                 const Work& work) {
  const double calls = std::max(1.0, std::floor(0x1p20 / work.products));
  return {{isa, calls * work.products,
           [once = work.once, calls] {
             for (double i = 0; i < calls; ++i) once();
           },
           threads > 1},
          std::move(profile),
          std::move(format),
          s,
          threads};
}

/// The trials of one shape; operands has one entry a format.
void plan(const Arguments& arguments, GemmShape s, const std::vector<FormatInfo>& formats,
          const std::vector<Operands>& operands, std::vector<float>& d,
          std::vector<Trial>& trials) {
  for (const Isa isa : isa_argument(arguments)) {
    for (const std::int64_t count : arguments.integer_list("threads_list")) {
      const int threads = static_cast<int>(checked_size("threads_list", count));
      const Operands& x = operands.front();
      const Work limit{[&x, s, threads, &d] { run_sgemm(x, s, threads, d); },
                       static_cast<double>(s.m * s.n * s.k)};
      trials.push_back(make_trial(isa, kLimit, "fp32", s, threads, limit));
      for (std::size_t i = 0; i < formats.size(); ++i) {
        for (const std::string& name : arguments.text_list("profiles")) {
          trials.push_back(
              make_trial(isa, name, formats[i].name, s, threads,
                         emulated(name, operands[i], s, formats[i].format, threads, d)));
        }
      }
    }
  }
}

Table run(const Arguments& arguments) {
  std::vector<FormatInfo> formats;
  for (const std::string& name : arguments.text_list("formats")) {
    formats.push_back(parse_format(name));
  }
  std::vector<GemmShape> shapes;
  std::vector<std::vector<Operands>> operands;
  std::size_t largest = 0;
  for (const std::string& text : arguments.text_list("shapes")) {
    const GemmShape s = shapes.emplace_back(parse_gemm_shape(text));
    auto& of_shape = operands.emplace_back();
    for (const FormatInfo& f : formats) of_shape.emplace_back(s, f.format, arguments);
    largest = std::max(largest, s.m * s.n);
  }
  std::vector<float> d(largest);
  std::vector<Trial> trials;
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    plan(arguments, shapes[i], formats, operands[i], d, trials);
  }
  time_interleaved(trials, size_argument(arguments, "repeats"), arguments);
  Table table;
  for (const Trial& trial : trials) add_row(table, trials, trial);
  table.notes.push_back(
      "eigen-sgemm is Eigen's FP32 product compiled for the same ISA, rows of A "
      "shared among the threads; dot-rows takes row i of A with row i of B alone; rates of "
      "several threads are of wall time, so other work on the machine lowers them");
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
       "cublaslt-fast,cublaslt,deepgemm,dot-rows,card-wide,card-normalised",
       "cublaslt-fast,deepgemm,card-normalised",
       "GEMM profiles; dot-rows: the wgmma instruction on pairs of rows; or model cards, a chain "
       "of "
       "that instruction with F = 48 (card-wide), with products normalised and zeros counted in "
       "the "
       "maximum (card-normalised), or this in steps of one product, to nearest (card-one-product)",
       {}},
      {"shapes", "1024x1024x1024,16x16x64", "16x32x128,1x8x64", "M x N x K of the products", {}},
      {"formats", "e4m3,e5m2,bf16", "e4m3", "element formats of A and B", {}},
      isa_parameter(),
      {"threads_list", "1,2", "1", "numbers of threads", {}},
      {"repeats", "7", "3", "timed runs of each, interleaved", {}},
      seed_parameter(),
  };
  e.columns = {
      {"profile", "", "GEMM profile, dot-rows, a card, or eigen-sgemm"},
      {"format", "", "element format of A and B"},
      {"shape", "", "M x N x K"},
      {"m", "", "rows of A"},
      {"n", "", "rows of B, columns of the result"},
      {"k", "", "length of the dot products"},
      {"isa", "", "instruction set of the loops"},
      {"threads", "", "threads"},
      {"repeats", "", "timed runs"},
      {"rate", "G/s",
       "multiply-accumulates a second, median run: of the thread's own time, of wall time for "
       "several"},
      {"rate_slowest", "G/s", "the same of the slowest run"},
      {"rate_fastest", "G/s", "the same of the fastest run"},
      {"share_of_sgemm", "", "median rate over that of eigen-sgemm on the same ISA and threads"},
  };
  e.measures_time = true;
  e.keeps_figure = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments
