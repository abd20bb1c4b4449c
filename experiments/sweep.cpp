// Grids of parameters: how ranges are written, and in which order their points come.
#include "binade/experiments/sweep.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <set>
#include <stdexcept>
#include <utility>

namespace binade::experiments {

namespace {

using Numbers = std::vector<double>;

/// A range as it is written, for its errors.
struct Range {
  const std::string& axis;
  std::string_view text;
  double first = 0, last = 0;

  [[noreturn]] void refuse(const std::string& expected) const {
    throw std::invalid_argument("sweep over " + axis + ": found '" + std::string(text) +
                                "', expected " + expected);
  }
  double number(std::string_view word, const char* expected) const {
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size() || !std::isfinite(value)) {
      refuse(expected);
    }
    return value;
  }
  void check_count(double count) const {
    if (!(count <= static_cast<double>(kMaxPoints))) {
      refuse("at most " + std::to_string(kMaxPoints) + " numbers");
    }
  }
};

Numbers by_steps(const Range& r, double step) {
  if (!(step > 0)) r.refuse("a step above zero");
  const double steps = (r.last - r.first) / step;
  r.check_count(steps + 1);
  const auto count = static_cast<std::size_t>(std::floor(steps + 1e-9)) + 1;
  Numbers numbers(count);
  for (std::size_t i = 0; i < count; ++i) numbers[i] = r.first + static_cast<double>(i) * step;
  return numbers;
}

Numbers by_factors(const Range& r, double factor) {
  if (!(factor > 1) || !(r.first > 0)) r.refuse("a range above zero and a factor above one");
  const double steps = std::log(r.last / r.first) / std::log(factor);
  r.check_count(steps + 1);
  Numbers numbers;
  for (int i = 0; i <= std::floor(steps + 1e-9); ++i) {
    numbers.push_back(r.first * std::pow(factor, i));
  }
  return numbers;
}

Numbers evenly(const Range& r, double count, bool logarithms) {
  if (count != std::floor(count) || count < 2) r.refuse("a count of two or more");
  if (logarithms && !(r.first > 0)) r.refuse("a range above zero");
  r.check_count(count);
  Numbers numbers(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double share = static_cast<double>(i) / (count - 1);
    numbers[i] = logarithms ? r.first * std::pow(r.last / r.first, share)
                            : r.first + (r.last - r.first) * share;
  }
  return numbers;
}

/// Integers without an exponent, so that parameters which count take them.
std::string text_of(double value) {
  std::array<char, 40> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.12g", value);
  value = std::strtod(buffer.data(), nullptr);
  const bool integer = value == std::floor(value) && std::fabs(value) < 9e15;
  const auto [end, error] =
      integer ? std::to_chars(buffer.data(), buffer.data() + buffer.size(),
                              static_cast<long long>(value))
              : std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), end};
}

/// "A..B" and what may follow it.
std::vector<std::string> expand(const std::string& axis, std::string_view text) {
  constexpr const char* kForm = "A..B, A..B:+STEP, A..B:xFACTOR, A..B:COUNT or A..B:logCOUNT";
  const std::size_t dots = text.find(".."), colon = text.find(':');
  std::string_view how = colon == text.npos ? std::string_view{} : text.substr(colon + 1);
  Range r{axis, text};
  r.first = r.number(text.substr(0, dots), kForm);
  r.last = r.number(text.substr(dots + 2, colon == text.npos ? colon : colon - dots - 2), kForm);
  if (r.last < r.first) r.refuse("the smaller end first");
  constexpr std::string_view kRound = ":round";
  const bool rounded = how.ends_with(kRound);
  if (rounded) how.remove_suffix(kRound.size());
  Numbers numbers;
  if (colon == text.npos) {
    if (r.first != std::floor(r.first) || r.last != std::floor(r.last)) {
      r.refuse("integers, or how to step from one to the other: A..B:+STEP, A..B:COUNT");
    }
    numbers = by_steps(r, 1);
  } else if (how.starts_with('+')) {
    numbers = by_steps(r, r.number(how.substr(1), kForm));
  } else if (how.starts_with('x')) {
    numbers = by_factors(r, r.number(how.substr(1), kForm));
  } else if (how.starts_with("log")) {
    numbers = evenly(r, r.number(how.substr(3), kForm), true);
  } else {
    numbers = evenly(r, r.number(how, kForm), false);
  }
  std::vector<std::string> values;
  for (const double number : numbers) {
    std::string value = text_of(rounded ? std::nearbyint(number) : number);
    if (!rounded || values.empty() || values.back() != value) values.push_back(std::move(value));
  }
  return values;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

Axis parse_axis(std::string_view text) {
  const std::size_t equals = text.find('=');
  Axis axis{std::string(trimmed(text.substr(0, equals))), {}};
  if (equals == text.npos || axis.name.empty()) {
    throw std::invalid_argument("sweep: found '" + std::string(text) +
                                "', expected NAME=VALUES, as in seed=1..5");
  }
  std::ranges::replace(axis.name, '-', '_');
  const std::string_view list = text.substr(equals + 1);
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    const std::string_view item = trimmed(list.substr(at, comma - at));
    if (item.empty()) {
      throw std::invalid_argument("sweep over " + axis.name + ": found '" + std::string(list) +
                                  "', expected values or ranges separated by commas, none empty");
    }
    if (item.find("..") == item.npos) {
      axis.values.emplace_back(item);
    } else {
      std::ranges::move(expand(axis.name, item), std::back_inserter(axis.values));
    }
    at = comma + 1;
  }
  return axis;
}

Grid::Grid(std::vector<Axis> axes) : axes_(std::move(axes)) {
  if (axes_.empty()) throw std::invalid_argument("a sweep over nothing, expected a parameter");
  std::set<std::string> names;
  for (const Axis& axis : axes_) {
    if (!names.insert(axis.name).second) {
      throw std::invalid_argument("sweep: " + axis.name + " is swept twice, expected once");
    }
    if (axis.values.empty()) {
      throw std::invalid_argument("sweep over " + axis.name + ": no values, expected some");
    }
    std::set<std::string> values;
    for (const std::string& value : axis.values) {
      if (!values.insert(value).second) {
        throw std::invalid_argument("sweep over " + axis.name + ": found " + value +
                                    " twice, expected each value once");
      }
    }
    size_ *= axis.values.size();
    if (size_ > kMaxPoints) {
      throw std::invalid_argument("the sweep has more than " + std::to_string(kMaxPoints) +
                                  " grid points, expected fewer");
    }
  }
}

std::vector<std::pair<std::string, std::string>> Grid::at(std::size_t point) const {
  std::vector<std::pair<std::string, std::string>> values(axes_.size());
  for (std::size_t i = axes_.size(); i-- > 0;) {
    const Axis& axis = axes_[i];
    values[i] = {axis.name, axis.values[point % axis.values.size()]};
    point /= axis.values.size();
  }
  return values;
}

std::string Grid::label(std::size_t point) const {
  std::string text;
  for (const auto& [name, value] : at(point)) {
    text.append(text.empty() ? "" : ", ").append(name).append(" = ").append(value);
  }
  return text;
}

Arguments arguments_at(const Experiment& experiment, const Grid& grid, std::size_t point,
                       const std::map<std::string, std::string>& given, bool smoke) {
  std::map<std::string, std::string> values = given;
  for (const auto& [name, value] : grid.at(point)) {
    if (!values.emplace(name, value).second) {
      throw std::invalid_argument("parameter " + name +
                                  " is both given and swept, expected one of the two");
    }
  }
  return make_arguments(experiment, values, smoke);
}

}  // namespace binade::experiments
