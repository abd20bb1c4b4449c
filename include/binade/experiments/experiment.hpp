// An experiment is a record: from it come the flags, the help, the CSV's header, the plot's columns
// and the smoke test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace binade::experiments {

struct Column {
  std::string name;
  std::string unit;  ///< "" for counts, names and ratios
  std::string meaning;
};

using Cell = std::variant<std::string, std::int64_t, double>;

/// What an experiment returns: rows under the record's columns, and notes for the reader.
struct Table {
  std::vector<std::vector<Cell>> rows;
  std::vector<std::string> notes;
};

struct Parameter {
  std::string name;           ///< the flag is --name with dashes for underscores
  std::string default_value;  ///< lists are separated by commas
  std::string smoke_value;    ///< a tiny size for the smoke test; empty: the default
  std::string meaning;
  std::vector<std::string> choices;  ///< empty: free
};

/// A real tensor in place of a random one: fp32 values, the last dimension contiguous.
struct InputTensor {
  std::string name;
  std::vector<float> values;
  std::size_t rows = 0, cols = 0;
};

/// The values of an experiment's parameters, and what the caller lends it.
class Arguments {
 public:
  std::map<std::string, std::string> values;
  std::optional<InputTensor> tensor;         ///< --tensor FILE.safetensors:NAME, or an .npy
  std::optional<InputTensor> second_tensor;  ///< --tensor-b, where an experiment takes a pair
  /// --layer FILE.safetensors:PREFIX: the tensors of one layer, by what follows the prefix.
  std::map<std::string, InputTensor> layer;
  std::string layer_name;
  int threads = 0;
  /// Called now and then with done and total; may be empty.
  std::function<void(std::size_t, std::size_t)> progress;

  // Errors: std::invalid_argument naming the parameter, what was found and what was expected.
  std::string text(const std::string& name) const;
  std::int64_t integer(const std::string& name) const;
  double number(const std::string& name) const;
  std::vector<std::string> text_list(const std::string& name) const;
  std::vector<std::int64_t> integer_list(const std::string& name) const;
  std::vector<double> number_list(const std::string& name) const;
};

/// A number that was published, or calculated by an independent program, beside ours.
struct Finding {
  std::string what;       ///< "error of E4M3, one scale a tensor"
  std::string published;  ///< as it was published: "nearly 2 %"; "(calculated)" behind the others
  std::string ours;       ///< to the digits that hold: "1.82 %"; a test measures it again
  std::string verdict;    ///< "reproduced"; or by how much it is not, and why
  /// How ours is measured: the cell of this column in the one row whose cells read as `row` says,
  /// after a run with these arguments; where `over` is not empty, divided by that of its row.
  std::string column;
  std::map<std::string, std::string> arguments, row, over;
};

struct Experiment {
  std::string name;  ///< snake_case, also the stem of its file and its plot
  std::string question;
  std::string source;  ///< the publication, with its numbers
  std::vector<Parameter> parameters;
  std::vector<Column> columns;
  bool takes_tensor = false;
  bool takes_layer = false;
  bool measures_time = false;  ///< rates of this machine: two runs give other numbers
  bool needs_device = false;   ///< runs on a GPU; skipped where there is none
  bool keeps_figure = false;   ///< experiments/results/NAME.png is kept in the repository
  std::vector<Finding> findings;
  std::function<Table(const Arguments&)> run;
};

/// Every experiment, in the order of `binade list`.
const std::vector<Experiment>& registry();
/// Errors: std::invalid_argument naming the nearest.
const Experiment& find_experiment(std::string_view name);
/// Arguments with every default filled in (`smoke`: the tiny ones). Unknown names or values outside
/// the choices throw std::invalid_argument.
Arguments make_arguments(const Experiment& experiment,
                         const std::map<std::string, std::string>& given, bool smoke = false);

}  // namespace binade::experiments
