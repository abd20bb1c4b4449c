// Every figure that stands beside a published one is measured again, to its last digit.
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "catch.hpp"
#include "table.hpp"

using namespace binade::experiments;

namespace {

std::string text_of(const Cell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  char buffer[40];
  const auto written = std::visit(
      [&](const auto& value) {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
          return buffer;
        } else {
          return std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
        }
      },
      cell);
  return {buffer, written};
}

/// The cell of a column in the one row that reads so.
double cell_at(const Result& r, const std::map<std::string, std::string>& row,
               const std::string& column) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < r.table.rows.size(); ++i) {
    bool matches = true;
    for (const auto& [name, text] : row) {
      matches &= text_of(r.table.rows[i][column_index(r.experiment, name)]) == text;
    }
    if (matches) found.push_back(i);
  }
  REQUIRE(found.size() == 1);
  return r.number(found[0], column);
}

/// "2.57 %" as 0.0257 and half a unit of its last digit.
struct Figure {
  double value = 0, half_digit = 0;
};

Figure figure_of(const std::string& text) {
  Figure figure;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), figure.value);
  REQUIRE(error == std::errc{});
  const std::string number(text.data(), end), unit(end, text.data() + text.size());
  const std::string digits = number.substr(0, number.find('e'));
  const std::size_t point = digits.find('.');
  const auto decimals = static_cast<int>(point == digits.npos ? 0 : digits.size() - point - 1);
  const int exponent =
      number.find('e') == number.npos ? 0 : std::stoi(number.substr(number.find('e') + 1));
  figure.half_digit = 0.5 * std::pow(10, exponent - decimals);
  const bool known = unit.empty() || unit == " %" || unit == " dB";
  CHECK(known);
  if (unit == " %") figure = {figure.value / 100, figure.half_digit / 100};
  return figure;
}

double measured(const Experiment& e, const Finding& f) {
  static std::map<std::pair<std::string, std::map<std::string, std::string>>, Table> runs;
  Table& table = runs[{e.name, f.arguments}];  // several figures may come from one run
  if (table.rows.empty()) table = e.run(make_arguments(e, f.arguments));
  const Result r{e, table};
  const double value = cell_at(r, f.row, f.column);
  return f.over.empty() ? value : value / cell_at(r, f.over, f.column);
}

}  // namespace

TEST_CASE("what the document says is what a run gives") {
  int findings = 0;
  for (const Experiment& e : registry()) {
    for (const Finding& f : e.findings) {
      if (e.measures_time || e.needs_device) continue;
      INFO(e.name << ": " << f.what);
      const Figure figure = figure_of(f.ours);
      CHECK(measured(e, f) == Approx(figure.value).epsilon(0).margin(1.000001 * figure.half_digit));
      ++findings;
    }
  }
  CHECK(findings >= 40);  // of those that somebody else's figures exist for
}

TEST_CASE("a verdict is one: it says reproduced, or by how much not and why") {
  for (const Experiment& e : registry()) {
    std::set<std::string> seen;
    for (const Finding& f : e.findings) {
      INFO(e.name << ": " << f.what);
      CHECK(seen.insert(f.what).second);
      CHECK(!f.published.empty());
      const bool known = f.verdict.starts_with("reproduced") ||
                         f.verdict.starts_with("refuted: ") ||
                         f.verdict.starts_with("explained, ") ||
                         (f.verdict.starts_with("not reproduced") && f.verdict.size() > 40);
      CHECK(known);
    }
  }
}

TEST_CASE("kept figures are those of the experiments that say so") {
  const std::filesystem::path folder =
      std::filesystem::path(BINADE_SOURCE_DIR) / "experiments/results";
  std::set<std::string> said, kept;
  for (const Experiment& e : registry()) {
    if (e.keeps_figure) said.insert(e.name);
    if (std::filesystem::exists(folder / (e.name + ".png"))) kept.insert(e.name);
  }
  CHECK(said == kept);
}
