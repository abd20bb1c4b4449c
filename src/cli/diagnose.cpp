// binade diagnose: which order of operations made this output?
#include "binade/emulation/diagnose.hpp"

#include <memory>

#include "cli/gemm_operand.hpp"
#include "cli/instruction_option.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"
#include "cli/values.hpp"
#include "io/error.hpp"

namespace binade::cli {
namespace {

struct DiagnoseCommandOptions {
  GemmFileOperand a, b;
  std::string d_path, card;
  std::optional<FloatFormat> output;
  std::size_t mismatches = 16;
  std::uint64_t seed = 1;
  bool json = false;
};

std::string percent(std::size_t part, std::size_t whole) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g %%",
                100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return text;
}

std::string share_line(const GemmExplanation& e) {
  return std::to_string(e.matching) + " of " + std::to_string(e.compared) + " outputs equal (" +
         percent(e.matching, e.compared) + ")";
}

void write_exact(const GemmDiagnosis& d, std::ostream& out) {
  out << "every bit of " << d.rows << " x " << d.cols << " outputs over K = " << d.k << ":\n  "
      << d.exact.front().text << "\n";
  for (const std::string& finding : d.findings) out << "- " << finding << "\n";
  if (d.ties.empty()) {
    if (d.findings.empty()) out << "no other of " << d.tried << " explanations matches\n";
    return;
  }
  out << "\nthe data do not tell it from\n";
  for (const GemmTie& tie : d.ties) {
    out << "  " << d.exact[tie.other].text << "\n    ";
    if (tie.separating.empty()) {
      out << "nothing that was tried separates them\n";
    } else {
      char share[32];
      std::snprintf(share, sizeof share, "%.3g %%", 100 * tie.differing);
      out << tie.separating << ": " << share << " of the outputs would differ\n";
    }
  }
}

/// Coarser than the record: what matters is whether they are a few.
void write_histogram(const GemmDiagnosis& d, std::ostream& out) {
  const struct {
    std::uint64_t to;
    const char* words;
  } ranges[] = {{0, "0"},
                {1, "1"},
                {3, "2 to 3"},
                {15, "4 to 15"},
                {255, "16 to 255"},
                {65535, "256 to 65535"},
                {UINT64_MAX, "65536 or more"}};
  TextTable table({">ulps", ">outputs"});
  auto bin = d.ulp_histogram.begin();
  for (const auto& [to, words] : ranges) {
    std::size_t count = 0;
    for (; bin != d.ulp_histogram.end() && bin->from <= to; ++bin) count += bin->count;
    if (count != 0) table.row({words, std::to_string(count)});
  }
  if (d.not_finite != 0) table.row({"NaN, Inf", std::to_string(d.not_finite)});
  out << "\n" << table.text();
}

void write_map(const GemmDiagnosis& d, std::ostream& out) {
  out << "\nwhere (. none, + some, # all of a cell of " << (d.rows + d.map_rows - 1) / d.map_rows
      << " x " << (d.cols + d.map_cols - 1) / d.map_cols << " outputs)\n";
  for (std::size_t r = 0; r < d.map_rows; ++r) {
    out << "  ";
    for (std::size_t c = 0; c < d.map_cols; ++c) {
      const double share = d.map[r * d.map_cols + c];
      out << (share == 0 ? '.' : share == 1 ? '#' : '+');
    }
    out << "\n";
  }
}

void write_first(const GemmDiagnosis& d, FloatFormat output, std::ostream& out) {
  TextTable table({">row", ">col", "found", "expected", ">found", ">expected", ">ulps", "K"});
  for (const GemmMismatch& m : d.first) {
    const auto value = [&](std::uint64_t code) {
      if (output.is_nan(code)) return std::string("NaN");
      return short_decimal(static_cast<Wide>(decode(output, code)), 7);
    };
    const std::string block = m.k_end == 0 ? ""
                                           : "as without k = " + std::to_string(m.k_first) +
                                                 " to " + std::to_string(m.k_end - 1);
    table.row({std::to_string(m.row), std::to_string(m.col), code_text(output, m.found),
               code_text(output, m.expected), value(m.found), value(m.expected),
               std::to_string(m.ulps), block});
  }
  out << "\nthe first mismatches\n" << table.text();
}

void write_closest(const GemmDiagnosis& d, FloatFormat output, std::ostream& out) {
  out << "none of " << d.tried << " explanations matches every bit of " << d.rows << " x " << d.cols
      << " outputs over K = " << d.k << "\n\nclosest: " << d.closest.text << "\n  "
      << share_line(d.closest);
  if (d.closest.same_value != d.closest.matching) {
    out << ", " << d.closest.same_value - d.closest.matching
        << " more but for NaN patterns and signs of zero";
  }
  out << "\n";
  if (!d.rest.chains.empty()) {
    out << "the rest: " << d.rest.text << "\n  " << share_line(d.rest) << "\n";
  }
  for (const std::string& finding : d.findings) out << "- " << finding << "\n";
  write_histogram(d, out);
  write_map(d, out);
  write_first(d, output, out);
}

/// The format of D: stated, or that of a float array.
FloatFormat output_format(const DiagnoseCommandOptions& options, const io::Tensor& d) {
  if (options.output)
    return io::element_format(d.dtype, options.output, "'" + options.d_path + "'");
  const auto format = io::info(d.dtype).format;
  if (!format) {
    throw io::DataError("'" + options.d_path + "' holds " + std::string(io::info(d.dtype).name) +
                        ", expected float32, or bit patterns and --output bf16 or f16");
  }
  return *format;
}

void run_diagnose(DiagnoseCommandOptions options, Session& session) {
  const GemmOperand a = load_operand(options.a);
  const GemmOperand b = load_operand(options.b);
  const std::size_t k = shared_k(options.a, options.b);
  const io::Tensor d = load(options.d_path);
  const FloatFormat output = output_format(options, d);
  if (d.shape != io::Shape{a.rows, b.rows}) {
    throw io::DataError("'" + options.d_path + "' has shape " + io::shape_text(d.shape) +
                        ", expected " + io::shape_text({a.rows, b.rows}));
  }
  DiagnoseOptions with;
  with.threads = session.threads;
  with.most_mismatches = options.mismatches;
  with.seed = options.seed;
  Instruction card;
  if (!options.card.empty()) {
    card = read_model_card(options.card);
    with.instruction = &card;
  }
  const GemmDiagnosis found = diagnose(a, b, k, output, d.data(), with);
  if (options.json) {
    session.out << diagnosis_to_json(found, output) << "\n";
  } else if (!found.exact.empty()) {
    write_exact(found, session.out);
  } else {
    write_closest(found, output, session.out);
  }
}

}  // namespace

Command diagnose_command() {
  return {"diagnose", "which order of operations made a GEMM's output, or where it went wrong",
          "binade diagnose a.npy b.npy d.npy --format-a e4m3 --format-b e4m3",
          [](CLI::App& app) -> Action {
            const auto options = std::make_shared<DiagnoseCommandOptions>();
            app.add_option("A", options->a.path, "[M, K] codes, FILE.npy")->required();
            app.add_option("B", options->b.path, "[N, K] codes, FILE.npy")->required();
            app.add_option("D", options->d_path,
                           "[M, N], FILE.npy: float32, or bit patterns of --output")
                ->required();
            add_operand(app, options->a, "a");
            add_operand(app, options->b, "b");
            add_format(app, "--output", options->output, "of D; default: that of its floats");
            add_model_card(app, options->card);
            app.add_option("--mismatches", options->mismatches, "how many are listed")
                ->check(CLI::Range(0, 1 << 20))
                ->type_name("N")
                ->capture_default_str();
            app.add_option("--seed", options->seed, "of the sample that is looked at first")
                ->check(CLI::NonNegativeNumber)
                ->type_name("N")
                ->capture_default_str();
            app.add_flag("--json", options->json, "the whole record as JSON");
            return [options](Session& session) { run_diagnose(*options, session); };
          }};
}

}  // namespace binade::cli
