#include "page/page.hpp"

#include <stdexcept>

#include "page/tables.hpp"

namespace binade::page {
namespace {

/// Puts `text` in place of the one occurrence of `mark`.
void fill(std::string& page, std::string_view mark, std::string_view text) {
  const std::size_t at = page.find(mark);
  if (at == std::string::npos || page.find(mark, at + mark.size()) != std::string::npos) {
    throw std::logic_error("page template: the mark " + std::string(mark) + " must stand once");
  }
  page.replace(at, mark.size(), text);
}

/// JSON that cannot end the script element it stands in, whatever names a tensor file brings.
std::string script_safe(const Json& json) {
  std::string safe;
  for (const char c : json.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace

std::string make_page(const std::vector<PageTensor>& tensors, std::string_view source) {
  const Json tables{{"formats", format_tables()},
                    {"tensors", tensor_tables(tensors, source)},
                    {"sums", sum_tables()},
                    {"memory", memory_tables()}};
  std::string page(kHtml);
  fill(page, "/*STYLE*/", kCss);
  fill(page, "/*SCRIPT*/", kScript);
  fill(page, "/*TABLES*/", script_safe(tables));
  return page;
}

}  // namespace binade::page
