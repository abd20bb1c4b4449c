// What the mismatches have in common, and the record as JSON.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "binade/formats/catalog.hpp"
#include "block_scale_shape.hpp"
#include "diagnose_search.hpp"

namespace binade::detail {
namespace {

/// D and what it should be, side by side.
struct Comparison {
  FloatFormat f;
  std::size_t rows, cols;
  std::vector<std::uint64_t> found;
  const std::vector<std::uint32_t>& expected;

  bool differs(std::size_t i) const { return found[i] != expected[i]; }
};

std::string percent(std::size_t part, std::size_t whole) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %%",
                100.0 * static_cast<double>(part) / static_cast<double>(whole));
  return text;
}

void count_distances(const Comparison& c, GemmDiagnosis& diagnosis) {
  std::map<int, std::size_t> bins;  // by the width of the distance
  for (std::size_t i = 0; i < c.found.size(); ++i) {
    if (!c.differs(i)) continue;
    if (!c.f.is_finite(c.found[i]) || !c.f.is_finite(c.expected[i])) {
      ++diagnosis.not_finite;
      continue;
    }
    const std::int64_t ulps = code_distance(c.f, c.expected[i], c.found[i]);
    ++bins[static_cast<int>(std::bit_width(static_cast<std::uint64_t>(ulps < 0 ? -ulps : ulps)))];
  }
  for (const auto& [width, count] : bins) {
    const std::uint64_t from = width == 0 ? 0 : std::uint64_t{1} << (width - 1);
    diagnosis.ulp_histogram.push_back({from, width == 0 ? 0 : 2 * from - 1, count});
  }
}

void draw_map(const Comparison& c, GemmDiagnosis& diagnosis) {
  constexpr std::size_t kRows = 16, kCols = 64;
  const std::size_t cell_rows = ceil_div(c.rows, kRows), cell_cols = ceil_div(c.cols, kCols);
  diagnosis.map_rows = ceil_div(c.rows, cell_rows);
  diagnosis.map_cols = ceil_div(c.cols, cell_cols);
  std::vector<std::size_t> wrong(diagnosis.map_rows * diagnosis.map_cols), all(wrong.size());
  for (std::size_t i = 0; i < c.found.size(); ++i) {
    const std::size_t cell = i / c.cols / cell_rows * diagnosis.map_cols + i % c.cols / cell_cols;
    ++all[cell];
    wrong[cell] += c.differs(i) ? 1 : 0;
  }
  for (std::size_t cell = 0; cell < all.size(); ++cell) {
    diagnosis.map.push_back(static_cast<double>(wrong[cell]) / static_cast<double>(all[cell]));
  }
}

/// Rows, or columns, with mismatches: a run, or a few residues.
void find_places(const std::vector<std::size_t>& counts, const std::string& what,
                 std::vector<std::string>& findings) {
  const auto is_hit = [](std::size_t n) { return n != 0; };
  const auto first = std::find_if(counts.begin(), counts.end(), is_hit);
  const auto last = std::find_if(counts.rbegin(), counts.rend(), is_hit).base();
  const auto begin = static_cast<std::size_t>(first - counts.begin());
  const auto end = static_cast<std::size_t>(last - counts.begin());
  if (begin != 0 || end != counts.size()) {
    findings.push_back("all mismatches lie in " + what + " " + std::to_string(begin) +
                       (end - begin > 1 ? " to " + std::to_string(end - 1) : ""));
  }
  for (const std::size_t period : {2u, 4u, 8u, 16u, 32u, 64u, 128u}) {
    if (end - begin < 2 * period) break;
    std::set<std::size_t> residues;
    for (std::size_t i = begin; i < end; ++i) {
      if (counts[i] != 0) residues.insert(i % period);
    }
    if (2 * residues.size() > period || residues.size() > 16) continue;
    std::string text;
    for (const std::size_t r : residues) text += (text.empty() ? "" : ", ") + std::to_string(r);
    findings.push_back("all mismatches lie in " + what + " with index mod " +
                       std::to_string(period) + " in {" + text + "}");
    break;
  }
}

/// Every mismatch the same multiple of what was expected.
void find_ratio(const Comparison& c, std::vector<std::string>& findings) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < c.found.size() && ratios.size() < 1000; ++i) {
    if (!c.differs(i)) continue;
    const double ratio = decode(c.f, c.found[i]) / decode(c.f, c.expected[i]);
    if (std::isfinite(ratio) && ratio != 0) ratios.push_back(ratio);
  }
  if (ratios.size() < 4) return;
  std::sort(ratios.begin(), ratios.end());
  const double middle = ratios[ratios.size() / 2];
  const double grain = std::exp2(2 - c.f.precision());
  const auto near = [&](double r) { return std::fabs(r / middle - 1) <= grain; };
  const auto alike = static_cast<std::size_t>(std::count_if(ratios.begin(), ratios.end(), near));
  if (10 * alike < 9 * ratios.size() || std::fabs(middle - 1) <= 2 * grain) return;
  char text[96];
  std::snprintf(text, sizeof text, "nine of ten mismatches are %.9g times what was expected",
                middle);
  findings.push_back(text);
}

void find_values(const Comparison& c, std::size_t mismatches, std::vector<std::string>& findings) {
  std::size_t nan = 0, nan_pattern = 0, zero_sign = 0, zero = 0, largest = 0, up = 0, down = 0;
  for (std::size_t i = 0; i < c.found.size(); ++i) {
    if (!c.differs(i)) continue;
    const std::uint64_t found = c.found[i], expected = c.expected[i];
    const std::uint64_t size = found & c.f.magnitude_mask();
    const bool both_nan = c.f.is_nan(found) && c.f.is_nan(expected);
    nan += c.f.is_nan(found) && !both_nan ? 1 : 0;
    nan_pattern += both_nan ? 1 : 0;
    zero_sign += ((found | expected) & c.f.magnitude_mask()) == 0 ? 1 : 0;
    zero += size == 0 ? 1 : 0;
    largest += size == c.f.max_finite_code() ? 1 : 0;
    const std::uint64_t wanted = expected & c.f.magnitude_mask();
    up += size > wanted ? 1 : 0;
    down += size < wanted ? 1 : 0;
  }
  const auto say = [&](std::size_t count, const std::string& what) {
    if (count != 0) {
      findings.push_back(percent(count, mismatches) + " of the mismatches (" +
                         std::to_string(count) + ") " + what);
    }
  };
  say(nan, "are NaN where a number was expected");
  say(nan_pattern, "are NaN under other bits");
  say(zero_sign, "are zeros under another sign");
  say(zero - zero_sign, "are zero where a number was expected");
  say(largest, "are the largest finite number");
  if (mismatches >= 16 && 20 * up >= 19 * mismatches) say(up, "are larger in magnitude");
  if (mismatches >= 16 && 20 * down >= 19 * mismatches) say(down, "are smaller in magnitude");
}

/// The block of products without which the explanation gives what was found.
void locate(const DiagnoseInput& input, const Trial& closest, GemmMismatch& mismatch) {
  constexpr std::size_t kMostBlocks = 64;
  Candidate c = closest.candidate;
  if (c.departure.reading != Reading::kAsGiven) return;
  const std::size_t step =
      c.chain.instruction != nullptr ? static_cast<std::size_t>(c.chain.instruction->k) : 32;
  const std::size_t wanted = c.interval == 0 ? ceil_div(input.k, kMostBlocks) : c.interval;
  const std::size_t block = ceil_div(std::max(wanted, ceil_div(input.k, kMostBlocks)), step) * step;
  const Selection at{{mismatch.row}, {mismatch.col}};
  for (std::size_t first = 0; first < input.k; first += block) {
    for (const bool all_that_follow : {false, true}) {
      c.departure = {Reading::kDrop};
      c.departure.first = first;
      c.departure.amount = all_that_follow ? input.k - first : std::min(block, input.k - first);
      const auto codes = outputs_of(input, c, closest.variant, at, 1);
      if (codes.front() != mismatch.found) continue;
      mismatch.k_first = first;
      mismatch.k_end = first + c.departure.amount;
      return;
    }
  }
}

/// One block that is missing in one of many outputs is a coincidence of few bits.
void keep_common_blocks(std::vector<GemmMismatch>& located) {
  const auto known = std::count_if(located.begin(), located.end(),
                                   [](const GemmMismatch& m) { return m.k_end != 0; });
  if (2 * static_cast<std::size_t>(known) > located.size()) return;
  for (GemmMismatch& m : located) m.k_first = m.k_end = 0;
}

void list_first(const DiagnoseInput& input, const Trial& closest, const Comparison& c,
                std::size_t most, GemmDiagnosis& diagnosis) {
  constexpr std::size_t kLocated = 4;
  for (std::size_t i = 0; i < c.found.size() && diagnosis.first.size() < most; ++i) {
    if (!c.differs(i)) continue;
    GemmMismatch m;
    m.row = i / c.cols;
    m.col = i % c.cols;
    m.expected = c.expected[i];
    m.found = c.found[i];
    m.ulps = code_distance(c.f, m.expected, m.found);
    if (diagnosis.first.size() < kLocated) locate(input, closest, m);
    diagnosis.first.push_back(m);
    if (diagnosis.first.size() == kLocated) keep_common_blocks(diagnosis.first);
  }
  if (diagnosis.first.size() < kLocated) keep_common_blocks(diagnosis.first);
}

}  // namespace

using Json = nlohmann::ordered_json;

static Json explanation_json(const GemmExplanation& e) {
  return {{"text", e.text},
          {"profiles", e.profiles},
          {"chains", e.chains},
          {"promotion_interval", e.promotion_interval},
          {"split_k", e.split_k},
          {"scale_orders", e.scale_orders},
          {"output_rules", e.output_rules},
          {"departure", e.departure},
          {"compared", e.compared},
          {"matching", e.matching},
          {"same_value", e.same_value}};
}

static std::string hex(FloatFormat f, std::uint64_t code) {
  char text[24];
  std::snprintf(text, sizeof text, "0x%0*llx", (f.bits() + 3) / 4,
                static_cast<unsigned long long>(code));
  return text;
}

void describe_mismatches(const DiagnoseInput& input, const Trial& closest,
                         const std::vector<std::uint32_t>& codes, std::size_t most,
                         GemmDiagnosis& diagnosis) {
  const Comparison c{input.output, input.a.rows, input.b.rows,
                     found_outputs(input, closest.candidate.departure, everything(input)), codes};
  count_distances(c, diagnosis);
  draw_map(c, diagnosis);
  std::vector<std::size_t> rows(c.rows), cols(c.cols);
  for (std::size_t i = 0; i < c.found.size(); ++i) {
    if (!c.differs(i)) continue;
    ++rows[i / c.cols];
    ++cols[i % c.cols];
  }
  find_places(rows, "rows", diagnosis.findings);
  find_places(cols, "columns", diagnosis.findings);
  find_values(c, diagnosis.mismatches, diagnosis.findings);
  find_ratio(c, diagnosis.findings);
  list_first(input, closest, c, most, diagnosis);
}

}  // namespace binade::detail

namespace binade {

std::string diagnosis_to_json(const GemmDiagnosis& d, FloatFormat output) {
  using detail::Json;
  Json j;
  j["rows"] = d.rows;
  j["cols"] = d.cols;
  j["k"] = d.k;
  j["output"] = format_name(output);
  j["tried"] = d.tried;
  j["exact"] = Json::array();
  for (const GemmExplanation& e : d.exact) j["exact"].push_back(detail::explanation_json(e));
  j["ties"] = Json::array();
  for (const GemmTie& t : d.ties) {
    j["ties"].push_back(
        {{"other", t.other}, {"separating", t.separating}, {"differing", t.differing}});
  }
  j["closest"] = detail::explanation_json(d.closest);
  j["rest"] = d.rest.chains.empty() ? Json() : detail::explanation_json(d.rest);
  j["mismatches"] = d.mismatches;
  j["not_finite"] = d.not_finite;
  j["ulp_histogram"] = Json::array();
  for (const UlpBin& b : d.ulp_histogram) {
    j["ulp_histogram"].push_back({{"from", b.from}, {"to", b.to}, {"count", b.count}});
  }
  j["first"] = Json::array();
  for (const GemmMismatch& m : d.first) {
    j["first"].push_back({{"row", m.row},
                          {"col", m.col},
                          {"expected", detail::hex(output, m.expected)},
                          {"found", detail::hex(output, m.found)},
                          {"ulps", m.ulps},
                          {"k_first", m.k_first},
                          {"k_end", m.k_end}});
  }
  j["map"] = Json::array();
  for (std::size_t r = 0; r < d.map_rows; ++r) {
    const auto row = d.map.begin() + static_cast<std::ptrdiff_t>(r * d.map_cols);
    j["map"].push_back(std::vector<double>(row, row + static_cast<std::ptrdiff_t>(d.map_cols)));
  }
  j["findings"] = d.findings;
  return j.dump(2);
}

}  // namespace binade
