// A probe of rows that were recorded elsewhere.
#include <cstring>
#include <stdexcept>

#include "binade/emulation/probe.hpp"
#include "block_scale_shape.hpp"
#include "probe_judge.hpp"

namespace binade {
namespace {

using detail::bytes_of;
using detail::Card;
using detail::ProbeData;
using detail::ProbeRows;

void load_recorded(const RecordedRows& recorded, const ProbeTarget& target, ProbeData& fit,
                   ProbeData& held_out) {
  const bool split = recorded.rows >= 16;
  fit.emplace_back("fitted", target, recorded.k);
  held_out.emplace_back(split ? "held out" : "fitted", target, recorded.k);
  const auto copy = [](std::vector<unsigned char>& to, const void* from, std::size_t row,
                       std::size_t size) {
    const auto* first = static_cast<const unsigned char*>(from) + row * size;
    to.insert(to.end(), first, first + size);
  };
  for (std::size_t row = 0; row < recorded.rows; ++row) {
    for (ProbeRows* r : {&fit.front(), &held_out.front()}) {
      if (split && (r == &held_out.front()) != (row % 4 == 3)) continue;
      ++r->rows;
      copy(r->a_codes, recorded.a_codes, row, recorded.k * bytes_of(recorded.a));
      copy(r->b_codes, recorded.b_codes, row, recorded.k * bytes_of(recorded.b));
      if (recorded.c_codes != nullptr) {
        copy(r->c_codes, recorded.c_codes, row, bytes_of(recorded.c));
      } else {
        r->c_codes.resize(r->rows * bytes_of(recorded.c));
      }
      copy(r->d_codes, recorded.d_codes, row, bytes_of(recorded.c));
    }
  }
  fit.front().decode();
  held_out.front().decode();
}

}  // namespace

ProbeResult probe_recorded(const RecordedRows& recorded, const ProbeOptions&) {
  detail::check_probe_types(recorded.a, recorded.b, recorded.c);
  if (recorded.rows == 0 || recorded.k == 0 || recorded.a_codes == nullptr ||
      recorded.b_codes == nullptr || recorded.d_codes == nullptr) {
    throw std::invalid_argument("probe: no recorded rows (" + std::to_string(recorded.rows) +
                                " rows of " + std::to_string(recorded.k) + " products)");
  }
  ProbeTarget types;
  types.a = recorded.a;
  types.b = recorded.b;
  types.c = recorded.c;
  ProbeData fit, held_out;
  load_recorded(recorded, types, fit, held_out);
  const std::vector<Card> starts =
      detail::known_starts(recorded.name, recorded.a, recorded.b, recorded.c, recorded.k);
  detail::Effort effort, again_effort;
  Card best = detail::search_from(starts, fit, effort);
  const ProbeData apart = held_out;
  fit.insert(fit.end(), held_out.begin(), held_out.end());
  bool all_fitted = recorded.rows < 16;
  if (detail::misses(best, apart, 1) != 0) {
    const Card again = detail::search_from(starts, fit, again_effort);
    if (detail::misses(again, fit, 1) == 0) {
      best = again;
      all_fitted = true;
      held_out = fit;
    }
  }
  ProbeResult result;
  detail::judge_all(result, best, held_out);
  result.exact_values &= detail::misses(best, fit, 1) == 0;
  result.exact &= result.exact_values;
  if (result.exact_values) result.parameters = detail::judge_parameters(best, fit);
  detail::find_known(result, fit);
  detail::add_notes(result);
  if (all_fitted) {
    result.notes.push_back("all rows were needed to find the card: none is left to judge it");
  }
  result.rows_asked = recorded.rows;
  return result;
}

}  // namespace binade
