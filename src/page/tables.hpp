// The tables behind the page, each filled by the library and handed to the script as JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "binade/formats/catalog.hpp"
#include "page/page.hpp"

namespace binade::page {

using Json = nlohmann::ordered_json;

/// The files of this folder, embedded at build time.
extern const std::string_view kHtml, kCss, kScript;

/// Where a rounding to nearest even changes its mind: numbers below `at` go to the lower code and
/// those above it to the upper one; `at` itself goes up if tie_goes_up.
struct Boundary {
  double at = 0.0;
  bool tie_goes_up = false;
};

/// The boundary between the finite magnitude codes `lower` and `lower + 1`; from the largest finite
/// code, that to overflow. Errors: std::logic_error if encode does not round there as stated.
Boundary boundary_above(FloatFormat f, std::uint64_t lower);

/// The catalogue and the P3109 formats that the page shows beside OFP8.
std::vector<FormatInfo> page_formats();

Json format_tables();
Json tensor_tables(const std::vector<PageTensor>& tensors, std::string_view source);
Json sum_tables();
Json memory_tables();

}  // namespace binade::page
