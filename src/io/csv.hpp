// Comma-separated values as RFC 4180 quotes them, under comment lines that say where they are from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file.hpp"

namespace binade::io {

/// What must be known to make a table again. Stands on the first line:
/// # binade 0.1.0; command: ...; seed: ...; isa: ...; device: ...
struct Provenance {
  std::string version, command, seed, isa, device;
};
std::string provenance_line(const Provenance& provenance);
/// Errors: DataError when the line is none.
Provenance parse_provenance(const std::string& line);

struct Csv {
  Provenance provenance;
  std::vector<std::string> notes;  ///< further comment lines, without "# "
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
};

/// Lines end in LF. A field with a comma, quote or line break, one that is empty alone on its line,
/// and a first field that would look like a comment, is quoted.
/// Errors: as OutputFile; std::invalid_argument for a row that is not as wide as the columns.
void write_csv(const std::string& path, const Csv& csv);

/// Reads what write_csv wrote, with LF or CRLF. Errors: DataError for a missing provenance line,
/// text around or after quotes, a quote without its partner, rows of another width.
Csv read_csv(const std::string& path);

/// The shortest decimal that reads back as the same double; nan, inf and -inf by these names.
std::string number_text(double value);

}  // namespace binade::io
