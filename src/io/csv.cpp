#include "io/csv.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "io/error.hpp"

namespace binade::io {
namespace {

constexpr std::array<std::string_view, 4> kKeys = {
    "; command: ", "; seed: ", "; isa: ", "; device: "};

/// A comment must stay on its line, and no value may look like the next key.
std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text;
}

std::string quoted(const std::string& field, bool first, bool alone) {
  const bool needs = field.find_first_of(",\"\r\n") != std::string::npos ||
                     (first && field.starts_with('#')) || (alone && field.empty());
  if (!needs) return field;
  std::string text = "\"";
  for (const char c : field) {
    if (c == '"') text += '"';
    text += c;
  }
  return text + '"';
}

void append_row(std::string& text, const std::vector<std::string>& row) {
  for (std::size_t i = 0; i < row.size(); ++i) {
    text += (i == 0 ? "" : ",") + quoted(row[i], i == 0, row.size() == 1);
  }
  text += '\n';
}

/// Reads records from text; a record may span lines inside quotes.
class Reader {
 public:
  Reader(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  bool at_end() const { return at_ >= text_.size(); }
  bool at_comment() const { return !at_end() && text_[at_] == '#'; }

  std::string line() {
    const std::size_t end = std::min(text_.find('\n', at_), text_.size());
    std::string found(text_.substr(at_, end - at_));
    at_ = end + 1;
    ++line_;
    if (found.ends_with('\r')) found.pop_back();
    return found;
  }

  std::vector<std::string> record() {
    std::vector<std::string> fields;
    for (;;) {
      fields.push_back(!at_end() && text_[at_] == '"' ? quoted_field() : plain_field());
      if (at_end()) return fields;
      const char next = text_[at_++];
      if (next == ',') continue;
      if (next == '\r' && !at_end() && text_[at_] == '\n') ++at_;
      ++line_;
      return fields;
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError("'" + path_ + "', line " + std::to_string(line_) + ": " + what);
  }

 private:
  std::string plain_field() {
    const std::size_t end = std::min(text_.find_first_of(",\r\n", at_), text_.size());
    std::string field(text_.substr(at_, end - at_));
    if (field.find('"') != field.npos) fail("a quote inside a field that does not begin with one");
    at_ = end;
    return field;
  }
  std::string quoted_field() {
    std::string field;
    for (++at_; !at_end(); ++at_) {
      if (text_[at_] == '\n') ++line_;
      if (text_[at_] != '"') {
        field += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == '"') {
        field += text_[++at_];
      } else {
        ++at_;
        if (!at_end() && text_.find_first_of(",\r\n", at_) != at_) {
          fail("text after a closing quote, expected a comma or the end of the line");
        }
        return field;
      }
    }
    fail("a quote without its partner");
  }

  std::string_view text_;
  const std::string& path_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

}  // namespace

std::string provenance_line(const Provenance& p) {
  std::string line = "# binade " + p.version;
  const std::array<const std::string*, 4> values = {&p.command, &p.seed, &p.isa, &p.device};
  for (std::size_t i = 0; i < kKeys.size(); ++i) line.append(kKeys[i]).append(*values[i]);
  return one_line(line);
}

Provenance parse_provenance(const std::string& line) {
  constexpr std::string_view kStart = "# binade ";
  Provenance p;
  const std::array<std::string*, 5> values = {&p.version, &p.command, &p.seed, &p.isa, &p.device};
  std::size_t end = line.size();
  // From the last key to the first: a command may hold anything, the others do not.
  for (std::size_t i = kKeys.size(); i-- > 0;) {
    const std::size_t at = end == 0 ? line.npos : line.rfind(kKeys[i], end - 1);
    if (!line.starts_with(kStart) || at == line.npos) {
      throw DataError("the first line is '" + line.substr(0, 60) +
                      "', expected # binade VERSION; command: ...; seed: ...; isa: ...; device: ");
    }
    *values[i + 1] = line.substr(at + kKeys[i].size(), end - at - kKeys[i].size());
    end = at;
  }
  *values[0] = line.substr(kStart.size(), end - kStart.size());
  return p;
}

void write_csv(const std::string& path, const Csv& csv) {
  std::string text = provenance_line(csv.provenance) + "\n";
  for (const std::string& note : csv.notes) text += "# " + one_line(note) + "\n";
  append_row(text, csv.columns);
  for (const auto& row : csv.rows) {
    if (row.size() != csv.columns.size()) {
      throw std::invalid_argument("a CSV row has " + std::to_string(row.size()) +
                                  " fields, expected " + std::to_string(csv.columns.size()));
    }
    append_row(text, row);
  }
  OutputFile file(path);
  file.write(text);
  file.commit();
}

Csv read_csv(const std::string& path) {
  const std::string text = read_text_file(path);
  Reader reader(text, path);
  Csv csv;
  try {
    csv.provenance = parse_provenance(reader.line());
  } catch (const DataError& error) {
    throw DataError("'" + path + "': " + error.what());
  }
  while (reader.at_comment()) {
    const std::string line = reader.line();
    csv.notes.push_back(line.starts_with("# ") ? line.substr(2) : line.substr(1));
  }
  if (reader.at_end()) reader.fail("no line of column names");
  csv.columns = reader.record();
  while (!reader.at_end()) {
    csv.rows.push_back(reader.record());
    if (csv.rows.back().size() != csv.columns.size()) {
      reader.fail("the record before has " + std::to_string(csv.rows.back().size()) +
                  " fields, expected " + std::to_string(csv.columns.size()));
    }
  }
  return csv;
}

std::string number_text(double value) {
  if (std::isnan(value)) return "nan";  // without the sign, which says nothing
  std::array<char, 40> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

}  // namespace binade::io
