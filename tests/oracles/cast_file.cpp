// The judged side of the oracles written in Python: casts raw binary files with the public `cast`.
// Reads jobs from standard input, one a line: FROM TO ROUNDING OVERFLOW NAN INPUT OUTPUT.
#include <cstddef>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"

using namespace binade;

namespace {

void run_job(const std::string& line) {
  std::istringstream words(line);
  std::string from_name, to_name, rounding, overflow, nan, input, output;
  words >> from_name >> to_name >> rounding >> overflow >> nan >> input >> output;
  const FloatFormat from = parse_format(from_name).format;
  const FloatFormat to = parse_format(to_name).format;
  CastRules rules;
  rules.rounding = parse_rounding(rounding);
  parse_overflow(overflow, rules);
  rules.nan = parse_nan_rule(nan);

  std::ifstream file(input, std::ios::binary);
  if (!file) throw std::invalid_argument("cannot read '" + input + "'");
  const std::vector<char> source{std::istreambuf_iterator<char>(file), {}};
  const std::size_t count = source.size() * 8 / static_cast<std::size_t>(from.container_bits());
  std::vector<char> target(count * static_cast<std::size_t>(to.container_bits()) / 8);
  cast(from, source.data(), to, target.data(), count, rules);
  std::ofstream(output, std::ios::binary)
      .write(target.data(), static_cast<std::streamsize>(target.size()));
}

}  // namespace

int main() {
  std::string line;
  try {
    while (std::getline(std::cin, line)) run_job(line);
  } catch (const std::exception& error) {
    std::cerr << "cast_file: " << line << ": " << error.what() << "\n";
    return 1;
  }
  return 0;
}
