// binade verify: the model against the tensor cores of this machine.
#include "binade/cuda/verify.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "binade/cuda/device.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/cuda/verify_conversions.hpp"
#include "cli/command.hpp"
#include "cli/result.hpp"
#include "cli/terminal.hpp"
#include "io/error.hpp"
#include "io/npy.hpp"

namespace binade::cli {
namespace {

using cuda::VerifyRow;
using experiments::Column;

struct VerifyCommandOptions {
  cuda::VerifyOptions with;
  std::string devices = "0", directory = "out";
};

const std::vector<Column>& columns() {
  static const std::vector<Column> all{
      {"instruction", "", "name"},
      {"form", "", "how it was issued: n, where A lay, what was negated"},
      {"operands", "", "stratum of A and B"},
      {"addend", "", "stratum of C"},
      {"steps", "", "instructions chained"},
      {"model", "", "model, or the neighbour in its place"},
      {"outputs", "", "compared, every bit"},
      {"differ", "", "outputs that differ; a neighbour's should not be zero"}};
  return all;
}

/// "all", or ordinals separated by commas.
std::vector<int> parse_devices(const std::string& text) {
  std::vector<int> list;
  if (text == "all") {
    for (const cuda::Device& device : cuda::devices()) list.push_back(device.ordinal);
    return list;
  }
  std::size_t at = 0;
  while (at <= text.size()) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    const std::string word = text.substr(at, comma - at);
    if (word.empty() || word.size() > 4 ||
        word.find_first_not_of("0123456789") != std::string::npos) {
      throw UsageError("--devices '" + text + "': expected all, or numbers as 0,1");
    }
    const int ordinal = std::stoi(word);
    if (std::ranges::find(list, ordinal) != list.end()) {
      throw UsageError("--devices '" + text + "': device " + word + " is named twice");
    }
    list.push_back(ordinal);
    at = comma + 1;
  }
  return list;
}

std::string grouped(std::uint64_t n) {
  std::string text = std::to_string(n);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

experiments::Table to_table(const std::vector<VerifyRow>& rows) {
  experiments::Table table;
  for (const VerifyRow& r : rows) {
    table.rows.push_back({r.instruction, r.form, r.operands, r.addend, std::int64_t{r.steps},
                          r.model, static_cast<std::int64_t>(r.outputs),
                          static_cast<std::int64_t>(r.differ)});
  }
  return table;
}

/// An instruction on one line: what was compared, and the neighbours that nothing told apart.
void write_summary(const std::vector<VerifyRow>& rows, std::ostream& out) {
  std::vector<std::string> names;
  for (const VerifyRow& r : rows) {
    if (std::ranges::find(names, r.instruction) == names.end()) names.push_back(r.instruction);
  }
  TextTable table({"instruction", ">outputs", ">differ", ">neighbours refuted", "not told apart"});
  for (const std::string& name : names) {
    std::uint64_t outputs = 0, differ = 0;
    std::size_t refuted = 0, neighbours = 0;
    std::string same;
    for (const VerifyRow& r : rows) {
      if (r.instruction != name) continue;
      if (r.model == "model") {
        outputs += r.outputs;
        differ += r.differ;
        continue;
      }
      ++neighbours;
      refuted += r.differ != 0;
      if (r.differ == 0) same += (same.empty() ? "" : ", ") + r.model;
    }
    table.row({name, grouped(outputs), grouped(differ),
               std::to_string(refuted) + " of " + std::to_string(neighbours), same});
  }
  out << table.text();
}

std::string hex(std::uint64_t word) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(word));
  return text;
}

/// The conversions on one line each; returns how many fail: an instruction that differs from its
/// rules, or a neighbour that does not.
std::size_t write_conversions(const std::vector<cuda::ConversionRow>& rows, std::ostream& out) {
  TextTable table({"conversion", "rules", ">inputs", ">differ", "the first: input, got, want"});
  std::size_t failed = 0;
  for (const cuda::ConversionRow& r : rows) {
    failed += r.holds() ? 0 : 1;
    table.row({r.name, (r.is_neighbour ? "neighbour: " : "") + r.rules, grouped(r.inputs),
               grouped(r.differ),
               r.differ == 0 ? "" : hex(r.first_input) + ", " + hex(r.got) + ", " + hex(r.want)});
  }
  out << table.text() << "\n";
  return failed;
}

const std::vector<Column>& conversion_columns() {
  static const std::vector<Column> all{
      {"conversion", "", "the instruction, as PTX spells it"},
      {"rules", "", "what no rules of a cast say; of a neighbour: what is other"},
      {"is_neighbour", "", "1: rules that it does not follow, which must differ somewhere"},
      {"inputs", "", "conversions done, all there are"},
      {"differ", "", "of them, those whose bits differ"}};
  return all;
}

experiments::Table to_table(const std::vector<cuda::ConversionRow>& rows) {
  experiments::Table table;
  for (const cuda::ConversionRow& r : rows) {
    table.rows.push_back({r.name, r.rules, std::int64_t{r.is_neighbour},
                          static_cast<std::int64_t>(r.inputs),
                          static_cast<std::int64_t>(r.differ)});
  }
  return table;
}

/// The first rows that differed, as files and commands for the CPU.
void write_counterexamples(const std::vector<VerifyRow>& rows, const std::string& directory,
                           std::ostream& out) {
  constexpr std::size_t kMost = 8;
  std::size_t written = 0;
  for (const VerifyRow& r : rows) {
    if (!r.first || written == kMost) continue;
    const cuda::Counterexample& e = *r.first;
    const Instruction& instruction = find_instruction(r.instruction);
    const std::string stem = directory + "/counterexample-" + std::to_string(++written) + "-";
    const auto write = [&](const char* name, FloatFormat f, const void* data, io::Shape shape) {
      io::Tensor tensor(io::unsigned_dtype(f.container_bits()), std::move(shape));
      std::copy_n(static_cast<const std::byte*>(data), tensor.bytes.size(), tensor.bytes.begin());
      io::write_npy(stem + name + ".npy", tensor);
      return stem + name + ".npy ";
    };
    const std::string files = write("a", instruction.a, e.a.data(), {1, e.k}) +
                              write("b", instruction.b, e.b.data(), {1, e.k}) +
                              write("c", instruction.c, &e.c, {1});
    out << r.instruction << ", " << r.form << ", " << r.operands << ", C " << r.addend
        << ": hardware " << hex(e.hardware) << ", model " << hex(e.model)
        << "\n  binade explain --instruction " << r.instruction << " " << files << "--row 0\n";
  }
}

/// Over all inputs of every conversion instruction; returns how many rows fail.
std::size_t verify_conversions(const std::string& directory, Session& session) {
  const auto rows = cuda::verify_conversions();
  const std::string path = directory + "/verify_conversions.csv";
  io::write_csv(path, to_csv(conversion_columns(), to_table(rows), "none", session));
  const std::size_t failed = write_conversions(rows, session.out);
  session.out << path << "\n\n";
  return failed;
}

void run_verify(VerifyCommandOptions options, Session& session) {
  options.with.devices = parse_devices(options.devices);
  cuda::require_device(0, "binade verify");
  for (const int device : options.with.devices) {  // all of them, before work begins
    cuda::select_device(device);
    cuda::require_device(90, "binade verify on device " + std::to_string(device));
  }
  cuda::select_device(options.with.devices.front());
  const OutputDirectory directory(options.directory);
  const bool all = options.with.instructions.empty();
  const std::size_t failed = all ? verify_conversions(options.directory, session) : 0;
  Progress progress("verify");
  options.with.progress = [&](double done, double total) {
    progress.show(static_cast<std::size_t>(done / total * 1000), 1000);
  };
  std::vector<VerifyRow> rows;
  try {
    rows = cuda::verify_instructions(options.with);
  } catch (const std::invalid_argument& error) {
    throw UsageError(error.what());
  }
  const std::string path = options.directory + "/verify.csv";
  io::write_csv(path,
                to_csv(columns(), to_table(rows), std::to_string(options.with.seed), session));
  write_summary(rows, session.out);
  session.out << path << "\n";
  write_counterexamples(rows, options.directory, session.out);
  std::uint64_t differ = 0;
  for (const VerifyRow& r : rows) differ += r.model == "model" ? r.differ : 0;
  if (differ != 0) throw io::DataError(grouped(differ) + " outputs differ from the model");
  if (failed != 0)
    throw io::DataError(grouped(failed) + " conversions are not what their rules say");
}

}  // namespace

Command verify_command() {
  return {"verify", "the model against the tensor cores of this machine, output by output",
          "binade verify --outputs 1e9 --out out", [](CLI::App& app) -> Action {
            const auto options = std::make_shared<VerifyCommandOptions>();
            app.add_option("--instruction", options->with.instructions,
                           "names of instructions; default: all that the device has, and its "
                           "conversions over all their inputs")
                ->type_name("NAME ...");
            app.add_option("--outputs", options->with.outputs, "how many to compare, in all")
                ->type_name("N")
                ->capture_default_str();
            app.add_option("--devices", options->devices, "all, or ordinals: 0,1")
                ->type_name("LIST")
                ->capture_default_str();
            app.add_option("--seed", options->with.seed, "of the inputs")
                ->check(CLI::NonNegativeNumber)
                ->type_name("N")
                ->capture_default_str();
            app.add_option("--out", options->directory, "directory of the CSV and counterexamples")
                ->type_name("DIR")
                ->capture_default_str();
            return [options](Session& session) { run_verify(*options, session); };
          }};
}

}  // namespace binade::cli
