// binade probe: what is this accumulator?
#include "binade/emulation/probe.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include "binade/cuda/dot_model.hpp"
#include "binade/formats/cast.hpp"
#include "cli/instruction_option.hpp"
#include "cli/options.hpp"
#include "cli/shared_function.hpp"
#include "cli/terminal.hpp"
#include "cli/values.hpp"
#include "io/error.hpp"
#include "io/file.hpp"

namespace binade::cli {
namespace {

struct ProbeCommandOptions {
  std::string library, symbol;
  bool is_gemm = false, no_c = false, on_device = false, json = false;
  std::string a_path, b_path, c_path, d_path;
  InstructionOption instruction;
  std::optional<FloatFormat> a, b, c;
  std::size_t k = 1, max_k = 2048, rows = ProbeOptions{}.rows, side = 16;
  std::uint64_t seed = 1;
  std::string card;

  bool from_files() const {
    return !a_path.empty() || !b_path.empty() || !c_path.empty() || !d_path.empty();
  }
  bool from_instruction() const {
    return instruction.named != nullptr || !instruction.card.empty();
  }
};

void check_usage(const ProbeCommandOptions& o) {
  const int sources =
      (o.library.empty() ? 0 : 1) + (o.from_files() ? 1 : 0) + (o.from_instruction() ? 1 : 0);
  if (sources != 1) {
    throw UsageError(
        "expected one thing to probe: --library with --symbol, recorded --a, --b and --d, or an "
        "--instruction, emulated or on the --device");
  }
  if (o.on_device && !o.from_instruction()) {
    throw UsageError("--device asks the hardware for an --instruction; name one");
  }
  if (!o.library.empty() && o.symbol.empty()) throw UsageError("--library needs --symbol NAME");
  if (o.from_files() && (o.a_path.empty() || o.b_path.empty() || o.d_path.empty())) {
    throw UsageError("recorded rows are --a, --b and --d, and --c where C is not zero");
  }
  if (!o.from_instruction() && (!o.a || !o.b)) {
    throw UsageError("--format-a and --format-b are needed to read the codes");
  }
  if (o.from_instruction() && (o.a || o.b || o.c)) {
    throw UsageError("an instruction has its own formats, expected no --format-a, -b or -c");
  }
  if (o.max_k / o.k == 0) {
    throw UsageError("--max-k " + std::to_string(o.max_k) + " is below --k-multiple " +
                     std::to_string(o.k));
  }
}

ProbeTarget target_of(const ProbeCommandOptions& o) {
  ProbeTarget t;
  t.k_multiple = o.k;
  t.max_k = o.max_k;
  t.takes_c = !o.no_c;
  if (o.from_instruction()) {
    const Instruction i = o.instruction.get();
    t.name = "probed";
    t.a = i.a;
    t.b = i.b;
    t.c = i.c;
    t.evaluate = [i, on_device = o.on_device](const void* a, const void* b, const void* c, void* d,
                                              std::size_t rows, std::size_t k) {
      if (on_device) {
        cuda::dot_hw(i, a, b, c, d, rows, k);
      } else {
        dot(i, a, b, c, d, rows, k);
      }
    };
    return t;
  }
  t.name = o.symbol;
  t.a = *o.a;
  t.b = *o.b;
  t.c = o.c.value_or(kFp32Format);
  t.evaluate = o.is_gemm
                   ? rows_of_gemm(load_shared_gemm(o.library, o.symbol), t.a, t.b, t.c, o.side)
                   : load_shared_dot(o.library, o.symbol);
  return t;
}

/// Rows of dot products, owned: from rows as `dot` has them, or from some outputs of a GEMM.
struct LoadedRows {
  io::Tensor a, b, c, d;
  RecordedRows rows;
};

void pick_outputs(const io::Tensor& from, std::size_t row_bytes, const std::vector<std::size_t>& at,
                  io::Tensor& to) {
  std::vector<std::byte> picked(at.size() * row_bytes);
  for (std::size_t i = 0; i < at.size(); ++i) {
    std::memcpy(picked.data() + i * row_bytes, from.bytes.data() + at[i] * row_bytes, row_bytes);
  }
  to.dtype = from.dtype;
  to.bytes = std::move(picked);
}

/// Outputs of a GEMM as rows: spread over D, as many as a search can afford.
void rows_from_gemm(LoadedRows& loaded, std::uint64_t seed) {
  constexpr std::size_t kProducts = 1 << 18;
  const std::size_t m = loaded.a.shape[0], n = loaded.b.shape[0], k = loaded.a.shape[1];
  const std::size_t wanted = std::min(m * n, std::clamp<std::size_t>(kProducts / k, 64, 2048));
  std::vector<std::size_t> rows, cols, places;
  for (std::size_t i = 0; i < wanted; ++i) {
    const std::size_t place = (i * (m * n) + random_at(seed, i) % (m * n)) / wanted;
    places.push_back(place);
    rows.push_back(place / n);
    cols.push_back(place % n);
  }
  const auto bytes = [](const io::Tensor& t) { return io::info(t.dtype).size; };
  pick_outputs(loaded.a, k * bytes(loaded.a), rows, loaded.a);
  pick_outputs(loaded.b, k * bytes(loaded.b), cols, loaded.b);
  pick_outputs(loaded.d, bytes(loaded.d), places, loaded.d);
  if (!loaded.c.bytes.empty()) pick_outputs(loaded.c, bytes(loaded.c), places, loaded.c);
  loaded.rows.rows = wanted;
}

[[noreturn]] void wrong_shape(const std::string& path, const io::Tensor& found,
                              const std::string& expected) {
  throw io::DataError("'" + path + "' has shape " + io::shape_text(found.shape) + ", expected " +
                      expected);
}

void load_rows(const ProbeCommandOptions& o, LoadedRows& loaded) {
  RecordedRows& r = loaded.rows;
  loaded.a = load(o.a_path);
  loaded.b = load(o.b_path);
  loaded.d = load(o.d_path);
  r.a = io::element_format(loaded.a.dtype, o.a, "'" + o.a_path + "'");
  r.b = io::element_format(loaded.b.dtype, o.b, "'" + o.b_path + "'");
  r.c = io::element_format(loaded.d.dtype, o.c ? o.c : std::optional(kFp32Format),
                           "'" + o.d_path + "'");
  if (loaded.a.shape.size() != 2) wrong_shape(o.a_path, loaded.a, "[rows, k]");
  r.rows = loaded.a.shape[0];
  r.k = loaded.a.shape[1];
  if (loaded.b.shape.size() != 2 || loaded.b.shape[1] != r.k) {
    wrong_shape(o.b_path, loaded.b, "[rows, " + std::to_string(r.k) + "]");
  }
  const bool is_gemm = loaded.d.shape == io::Shape{r.rows, loaded.b.shape[0]};
  if (!is_gemm && (loaded.d.shape != io::Shape{r.rows} || loaded.b.shape[0] != r.rows)) {
    wrong_shape(o.d_path, loaded.d,
                io::shape_text({r.rows, loaded.b.shape[0]}) + " of a GEMM or " +
                    io::shape_text({r.rows}) + " of as many rows of A and of B");
  }
  if (!o.c_path.empty()) {
    loaded.c = load(o.c_path);
    (void)io::element_format(loaded.c.dtype, r.c, "'" + o.c_path + "'");
    if (loaded.c.shape != loaded.d.shape) {
      wrong_shape(o.c_path, loaded.c, io::shape_text(loaded.d.shape) + " as D has");
    }
  }
  if (is_gemm) rows_from_gemm(loaded, o.seed);
  r.a_codes = loaded.a.data();
  r.b_codes = loaded.b.data();
  r.c_codes = loaded.c.bytes.empty() ? nullptr : loaded.c.data();
  r.d_codes = loaded.d.data();
}

std::string joined(const std::vector<std::string>& words, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words.size() > most && i == most - 1) {
      return text + ", ... " + words.back() + " (" + std::to_string(words.size()) + " values)";
    }
    text += (text.empty() ? "" : ", ") + words[i];
  }
  return text;
}

void write_verdict(const ProbeResult& r, std::ostream& out) {
  std::size_t rows = 0, matching = 0;
  for (const ProbeStratum& s : r.strata) {
    rows += s.rows;
    matching += s.matching;
  }
  if (r.exact) {
    out << "the card below gives every bit of " << rows << " rows that it was not fitted to";
  } else if (r.exact_values) {
    out << "the card below gives every value of " << rows
        << " rows that it was not fitted to, but not every NaN pattern or sign of zero";
  } else {
    out << "no card of this model was found; the nearest gives " << matching << " of " << rows
        << " rows that it was not fitted to";
  }
  out << " (" << r.rows_asked << " rows in all)\n";
  const auto whole = [](const ProbeParameter& p) {
    return p.name == "promotion_interval" &&
           std::find(p.consistent.begin(), p.consistent.end(), "all of K") != p.consistent.end();
  };
  if (std::any_of(r.parameters.begin(), r.parameters.end(), whole)) {
    out << "C is added to the finished sum in FP32\n";
  } else if (r.exact_values && r.promotion_interval != 0) {
    out << "chains of " << r.promotion_interval
        << " products are added in FP32: use the card with --promotion-interval "
        << r.promotion_interval << "\n";
  }
  if (!r.known.empty()) out << "known as " << joined(r.known, 8) << "\n";
  for (const std::string& note : r.notes) out << "- " << note << "\n";
}

void write_parameters(const ProbeResult& r, std::ostream& out) {
  if (r.parameters.empty()) return;
  TextTable table({"parameter", "value", "determined", "values that agree as well"});
  for (const ProbeParameter& p : r.parameters) {
    std::vector<std::string> others = p.consistent;
    std::erase(others, p.value);
    table.row({p.name, p.value, p.determined ? "yes" : "no", joined(others, 6)});
  }
  out << "\n" << table.text();
}

void write_strata(const ProbeResult& r, std::ostream& out) {
  if (r.exact) return;
  TextTable table({"rows", ">k", ">asked", ">every bit", ">but NaN bits", ">but zero signs"});
  for (const ProbeStratum& s : r.strata) {
    table.row({s.name, std::to_string(s.k), std::to_string(s.rows), std::to_string(s.matching),
               std::to_string(s.nan_pattern_only), std::to_string(s.zero_sign_only)});
  }
  out << "\n" << table.text();
}

void write_observations(const ProbeResult& r, std::ostream& out) {
  TextTable table({"special values", "answer", "the card's"});
  for (const ProbeObservation& o : r.observations) {
    const bool same = o.observed == o.predicted;
    table.row({o.question, code_text(r.card.c, o.observed),
               same ? "the same" : code_text(r.card.c, o.predicted)});
  }
  if (!r.observations.empty()) out << "\n" << table.text();
  TextTable features({"FTTN (arXiv 2403.00232)", "question", "answer"});
  for (const ProbeFeature& f : r.features) features.row({f.name, f.question, f.answer});
  if (!r.features.empty()) {
    out << "\n" << features.text();
    out << "fingerprint  " << r.fingerprint << "\n";
    if (!r.same_fingerprint.empty())
      out << "as of        " << joined(r.same_fingerprint, 8) << "\n";
  }
}

void write_report(const ProbeResult& r, std::ostream& out) {
  write_verdict(r, out);
  write_parameters(r, out);
  write_strata(r, out);
  write_observations(r, out);
  out << "\n" << instruction_to_json(r.card) << "\n";
}

void run_probe(const ProbeCommandOptions& options, Session& session) {
  check_usage(options);
  std::vector<std::string> inputs;
  for (const std::string& path : {options.library, options.a_path, options.b_path, options.c_path,
                                  options.d_path, options.instruction.card}) {
    if (!path.empty()) inputs.push_back(path);
  }
  if (!options.card.empty()) check_paths(inputs, {options.card});
  const ProbeOptions with{options.seed, options.rows};
  ProbeResult result;
  if (options.from_files()) {
    LoadedRows loaded;
    load_rows(options, loaded);
    result = probe_recorded(loaded.rows, with);
  } else {
    result = probe(target_of(options), with);
  }
  if (!options.card.empty()) {
    io::OutputFile file(options.card);
    file.write(instruction_to_json(result.card) + "\n");
    file.commit();
  }
  if (options.json) {
    session.out << probe_to_json(result) << "\n";
  } else {
    write_report(result, session.out);
  }
}

void add_sources(CLI::App& app, ProbeCommandOptions& o) {
  app.add_option("--library", o.library,
                 "a shared library with a C function: void f(const void* a, const void* b, const "
                 "void* c, void* d, int64_t rows, int64_t k), D[r] = A[r,:] . B[r,:] + C[r]")
      ->type_name("FILE.so");
  app.add_option("--symbol", o.symbol, "the function's name")->type_name("NAME");
  app.add_flag("--gemm", o.is_gemm,
               "the function is a GEMM instead: ..., int64_t m, int64_t n, int64_t k), D = A B^T + "
               "C");
  app.add_option("--side", o.side, "rows of A and of B in each call of a GEMM")
      ->check(CLI::Range(1, 1 << 12))
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--no-c", o.no_c, "the function ignores C");
  app.add_option("--a", o.a_path, "recorded A [rows, k], bit patterns")->type_name("FILE.npy");
  app.add_option("--b", o.b_path, "recorded B, as many rows, or [N, k] of a GEMM")
      ->type_name("FILE.npy");
  app.add_option("--c", o.c_path, "recorded C, of D's shape; default: zeros")
      ->type_name("FILE.npy");
  app.add_option("--d", o.d_path, "recorded D, [rows] or [M, N]")->type_name("FILE.npy");
  add_instruction(app, o.instruction);
  app.add_flag("--device", o.on_device, "ask the device for the instruction, not its emulation");
}

void add_options(CLI::App& app, ProbeCommandOptions& o) {
  add_sources(app, o);
  add_format(app, "--format-a", o.a, "of A's codes");
  add_format(app, "--format-b", o.b, "of B's codes");
  add_format(app, "--format-c", o.c, "of C and D, fp32 or fp16; default: fp32");
  app.add_option("--k-multiple", o.k, "the function takes rows of multiples of K products")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("K")
      ->capture_default_str();
  app.add_option("--max-k", o.max_k, "and none longer than this")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("K")
      ->capture_default_str();
  app.add_option("--rows", o.rows, "rows of each kind in the last judgement")
      ->check(CLI::Range(1, 1 << 20))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--seed", o.seed, "of the random rows")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--card", o.card, "write the model card, for --model")->type_name("FILE.json");
  app.add_flag("--json", o.json, "the whole record as JSON");
}

}  // namespace

Command probe_command() {
  return {"probe", "the parameters of an accumulator, found from outside, as a model card",
          "binade probe --a a.npy --b b.npy --d d.npy --format-a e4m3 --format-b e4m3",
          [](CLI::App& app) -> Action {
            const auto options = std::make_shared<ProbeCommandOptions>();
            add_options(app, *options);
            return [options](Session& session) { run_probe(*options, session); };
          }};
}

}  // namespace binade::cli
