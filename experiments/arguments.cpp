// Reading the values of an experiment's parameters.
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "binade/experiments/experiment.hpp"

namespace binade::experiments {

namespace {

[[noreturn]] void refuse(const std::string& name, std::string_view found, const char* expected) {
  throw std::invalid_argument("parameter " + name + ": found '" + std::string(found) +
                              "', expected " + expected);
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// The whole of `text` as a Number, or an error that says what was expected.
template <class Number>
Number parse(const std::string& name, std::string_view text, const char* expected) {
  text = trimmed(text);
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) refuse(name, text, expected);
  return value;
}

constexpr const char* kInteger = "a 64-bit integer";
constexpr const char* kNumber = "a finite number";

double parse_number(const std::string& name, std::string_view text) {
  const double value = parse<double>(name, text, kNumber);
  if (!std::isfinite(value)) refuse(name, text, kNumber);
  return value;
}

}  // namespace

std::string Arguments::text(const std::string& name) const {
  const auto found = values.find(name);
  if (found == values.end()) {
    throw std::invalid_argument("parameter " + name + ": no value was given and none is declared");
  }
  return found->second;
}

std::int64_t Arguments::integer(const std::string& name) const {
  return parse<std::int64_t>(name, text(name), kInteger);
}

double Arguments::number(const std::string& name) const { return parse_number(name, text(name)); }

std::vector<std::string> Arguments::text_list(const std::string& name) const {
  const std::string whole = text(name);
  std::vector<std::string> items;
  for (std::size_t at = 0; at <= whole.size();) {
    const std::size_t comma = std::min(whole.find(',', at), whole.size());
    items.emplace_back(trimmed(std::string_view(whole).substr(at, comma - at)));
    if (items.back().empty()) refuse(name, whole, "a list separated by commas, no item empty");
    at = comma + 1;
  }
  return items;
}

std::vector<std::int64_t> Arguments::integer_list(const std::string& name) const {
  std::vector<std::int64_t> items;
  for (const std::string& item : text_list(name)) {
    items.push_back(parse<std::int64_t>(name, item, kInteger));
  }
  return items;
}

std::vector<double> Arguments::number_list(const std::string& name) const {
  std::vector<double> items;
  for (const std::string& item : text_list(name)) items.push_back(parse_number(name, item));
  return items;
}

}  // namespace binade::experiments
