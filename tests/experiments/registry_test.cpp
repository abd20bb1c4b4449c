// Every record runs at its smoke size, and arguments are refused with the facts.
#include <cmath>
#include <set>

#include "binade/cuda/device.hpp"
#include "binade/cuda/memory.hpp"
#include "binade/experiments/experiment.hpp"
#include "catch.hpp"

using namespace binade::experiments;

namespace {

bool is_snake_case(const std::string& name) {
  return !name.empty() &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

bool is_number_that_is_not_finite(const Cell& cell) {
  const auto* number = std::get_if<double>(&cell);
  return number != nullptr && !std::isfinite(*number);
}

/// An experiment for the tests of the arguments.
Experiment sample_record() {
  Experiment e;
  e.name = "sample";
  e.parameters = {{"sizes", "8,16", "2", "", {}},
                  {"format", "e4m3", "", "", {"e4m3", "e5m2"}},
                  {"ratio", "1e3", "", "", {}}};
  return e;
}

}  // namespace

TEST_CASE("every experiment describes itself") {
  std::set<std::string> names;
  for (const Experiment& e : registry()) {
    INFO(e.name);
    CHECK(is_snake_case(e.name));
    CHECK(names.insert(e.name).second);
    CHECK(e.question.ends_with("?"));
    CHECK(!e.source.empty());
    CHECK(!e.columns.empty());
    CHECK(e.run);
    std::set<std::string> seen;
    for (const Parameter& p : e.parameters) {
      INFO(p.name);
      CHECK(is_snake_case(p.name));
      CHECK(!p.meaning.empty());
      CHECK(seen.insert(p.name).second);
    }
    for (const Column& c : e.columns) {
      INFO(c.name);
      CHECK(is_snake_case(c.name));
      CHECK(!c.meaning.empty());
      CHECK(seen.insert("column " + c.name).second);
    }
  }
  CHECK(!registry().empty());
}

TEST_CASE("every experiment runs at its smoke size, twice alike unless it measures time") {
  for (const Experiment& e : registry()) {
    INFO(e.name);
    const Arguments arguments = make_arguments(e, {}, true);
    if (e.needs_device && binade::cuda::devices().empty()) {
      CHECK_THROWS_AS(e.run(arguments), binade::cuda::NoDevice);
      continue;
    }
    const Table table = e.run(arguments);
    REQUIRE(!table.rows.empty());
    for (const auto& row : table.rows) {
      REQUIRE(row.size() == e.columns.size());
      for (std::size_t i = 0; i < row.size(); ++i) {
        INFO(e.columns[i].name);
        REQUIRE_FALSE(is_number_that_is_not_finite(row[i]));
        REQUIRE(row[i].index() == table.rows[0][i].index());  // one type a column
      }
    }
    Arguments one_thread = arguments;
    one_thread.threads = 1;
    const Table again = e.run(one_thread);
    REQUIRE(again.rows.size() == table.rows.size());
    if (!e.measures_time) CHECK(again.rows == table.rows);
  }
}

TEST_CASE("an experiment that takes a tensor names it in its rows") {
  for (const Experiment& e : registry()) {
    if (!e.takes_tensor) continue;
    INFO(e.name);
    Arguments arguments = make_arguments(e, {}, true);
    InputTensor tensor{"layer.weight", std::vector<float>(256 * 512), 256, 512};
    for (std::size_t i = 0; i < tensor.values.size(); ++i) {
      tensor.values[i] = std::sin(static_cast<float>(i) * 0.37f) * 0.02f;
    }
    arguments.tensor = tensor;
    const Table table = e.run(arguments);
    REQUIRE(!table.rows.empty());
    for (const auto& row : table.rows) {
      bool named = false;
      for (const Cell& cell : row) {
        REQUIRE_FALSE(is_number_that_is_not_finite(cell));
        named |= cell == Cell(std::string("layer.weight"));
      }
      CHECK(named);
    }
  }
}

TEST_CASE("arguments take defaults, smoke values and what is given") {
  const Experiment e = sample_record();
  CHECK(make_arguments(e, {}).integer_list("sizes") == std::vector<std::int64_t>{8, 16});
  CHECK(make_arguments(e, {}, true).integer_list("sizes") == std::vector<std::int64_t>{2});
  CHECK(make_arguments(e, {}, true).text("format") == "e4m3");
  const Arguments given = make_arguments(e, {{"sizes", " 3, 4 ,5"}, {"ratio", "-2.5"}}, true);
  CHECK(given.integer_list("sizes") == std::vector<std::int64_t>{3, 4, 5});
  CHECK(given.number("ratio") == -2.5);
  CHECK(given.number_list("sizes") == std::vector<double>{3, 4, 5});
}

TEST_CASE("arguments are refused with what was found and what was expected") {
  const Experiment e = sample_record();
  CHECK_THROWS_WITH(make_arguments(e, {{"size", "4"}}),
                    ContainsSubstring("no parameter 'size'") && ContainsSubstring("sizes"));
  CHECK_THROWS_WITH(make_arguments(e, {{"format", "e4m3,e9"}}),
                    ContainsSubstring("format: found 'e9'") && ContainsSubstring("e4m3, e5m2"));
  const auto with = [&](const std::string& sizes) { return make_arguments(e, {{"sizes", sizes}}); };
  CHECK_THROWS_WITH(with("8x").integer("sizes"),
                    ContainsSubstring("sizes: found '8x', expected a 64-bit integer"));
  CHECK_THROWS_WITH(with("8,,9").integer_list("sizes"), ContainsSubstring("no item empty"));
  CHECK_THROWS_WITH(with("").text_list("sizes"), ContainsSubstring("no item empty"));
  CHECK_THROWS_WITH(with("99999999999999999999").integer("sizes"), ContainsSubstring("found '999"));
  CHECK_THROWS_WITH(with("nan").number("sizes"), ContainsSubstring("a finite number"));
  CHECK_THROWS_WITH(with("1e999").number("sizes"), ContainsSubstring("a finite number"));
  CHECK_THROWS_WITH(with("4").text("colour"), ContainsSubstring("colour: no value"));
}

TEST_CASE("an experiment is found by its name alone") {
  CHECK(find_experiment("cast_error").name == "cast_error");
  CHECK_THROWS_WITH(find_experiment("cast_eror"), ContainsSubstring("no experiment 'cast_eror'") &&
                                                      ContainsSubstring("nearest: cast_error"));
}
