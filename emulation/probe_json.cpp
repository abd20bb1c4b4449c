// The record of a probe as JSON.
#include <nlohmann/json.hpp>

#include "probe_judge.hpp"

namespace binade {

std::string probe_to_json(const ProbeResult& r) {
  using Json = nlohmann::ordered_json;
  Json j;
  j["card"] = Json::parse(instruction_to_json(r.card));
  j["promotion_interval"] = r.promotion_interval;
  j["exact"] = r.exact;
  j["exact_values"] = r.exact_values;
  j["rows_asked"] = r.rows_asked;
  j["known"] = r.known;
  j["notes"] = r.notes;
  j["fingerprint"] = r.fingerprint;
  j["same_fingerprint"] = r.same_fingerprint;
  j["features"] = Json::array();
  for (const ProbeFeature& f : r.features) {
    j["features"].push_back({{"name", f.name}, {"question", f.question}, {"answer", f.answer}});
  }
  j["parameters"] = Json::array();
  for (const ProbeParameter& p : r.parameters) {
    j["parameters"].push_back({{"name", p.name},
                               {"value", p.value},
                               {"determined", p.determined},
                               {"consistent", p.consistent}});
  }
  j["strata"] = Json::array();
  for (const ProbeStratum& s : r.strata) {
    j["strata"].push_back({{"name", s.name},
                           {"k", s.k},
                           {"rows", s.rows},
                           {"matching", s.matching},
                           {"nan_pattern_only", s.nan_pattern_only},
                           {"zero_sign_only", s.zero_sign_only}});
  }
  j["observations"] = Json::array();
  for (const ProbeObservation& o : r.observations) {
    j["observations"].push_back(
        {{"question", o.question},
         {"observed",
          detail::hex_codes(r.card.c, reinterpret_cast<const unsigned char*>(&o.observed), 1)},
         {"predicted",
          detail::hex_codes(r.card.c, reinterpret_cast<const unsigned char*>(&o.predicted), 1)}});
  }
  return j.dump(2);
}

}  // namespace binade
