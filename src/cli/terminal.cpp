#include "cli/terminal.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "io/error.hpp"

namespace binade::cli {
namespace {

/// False when the descriptor takes no more; errno says why.
bool write_all(int descriptor, const std::string& text) {
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t done = ::write(descriptor, text.data() + at, text.size() - at);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return false;
    at += static_cast<std::size_t>(done);
  }
  return true;
}

/// Characters that are seen, not bytes: cells may hold UTF-8 and colours.
std::size_t width_of(const std::string& text) {
  std::size_t width = 0;
  bool in_colour = false;
  for (const char c : text) {
    if (c == '\x1b') in_colour = true;
    width += !in_colour && (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    if (c == 'm') in_colour = false;
  }
  return width;
}

bool has_colours() {
  const auto variable = [](const char* name) {
    const char* text = std::getenv(name);
    return std::string_view(text == nullptr ? "" : text);
  };
  return ::isatty(STDOUT_FILENO) == 1 && variable("NO_COLOR").empty() &&
         !variable("TERM").empty() && variable("TERM") != "dumb";
}

/// "40 s" or "3 min": what is left when `share` of the work took `seconds`.
std::string estimate(double seconds, double share) {
  const double left = seconds * (1 - share) / share;
  return left < 100 ? std::to_string(std::lround(left)) + " s"
                    : std::to_string(std::lround(left / 60)) + " min";
}

}  // namespace

std::string ink(Ink what, std::string_view text) {
  static const bool colours = has_colours();
  if (!colours || text.empty()) return std::string(text);
  constexpr const char* kCodes[] = {"35", "34", "33", "31", "2"};  // as Ink lists them
  return "\x1b[" + std::string(kCodes[static_cast<int>(what)]) + "m" + std::string(text) +
         "\x1b[0m";
}

TextTable::TextTable(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (std::string& heading : headings_) {
    right_.push_back(heading.starts_with('>'));
    if (right_.back()) heading.erase(0, 1);
  }
}

void TextTable::row(std::vector<std::string> cells) {
  cells.resize(headings_.size());
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < headings_.size(); ++c) {
    widths.push_back(width_of(headings_[c]));
    for (const auto& row : rows_) widths[c] = std::max(widths[c], width_of(row[c]));
  }
  std::string text;
  const auto append = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const std::string pad(widths[c] - width_of(cells[c]), ' ');
      line += (c == 0 ? "" : "  ") + (right_[c] ? pad + cells[c] : cells[c] + pad);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  };
  append(headings_);
  for (const auto& row : rows_) append(row);
  return text;
}

std::string TextTable::markdown() const {
  std::string text = "|";
  for (const std::string& heading : headings_) text += " " + heading + " |";
  text += "\n|";
  for (const bool right : right_) text += right ? "---:|" : "---|";
  for (const auto& row : rows_) {
    text += "\n|";
    for (const std::string& cell : row) text += " " + cell + " |";
  }
  return text + '\n';
}

void write_error(const std::string& message) {
  std::string line = "error: ";
  for (const char c : message) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  (void)write_all(STDERR_FILENO, line + '\n');
}

void write_standard_output(const std::string& text) {
  if (!write_all(STDOUT_FILENO, text) && errno != EPIPE) {
    throw io::DataError(std::string("cannot write to standard output: ") + std::strerror(errno));
  }
}

std::string shell_line(int argc, char** argv) {
  std::string line = "binade";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain = !word.empty() && word.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyz"
                                            "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789-_=+,./:@%") == word.npos;
    line += ' ';
    if (plain) {
      line += word;
      continue;
    }
    line += '\'';
    for (const char c : word) line += c == '\'' ? std::string("'\\''") : std::string(1, c);
    line += '\'';
  }
  return line;
}

Progress::Progress(std::string what)
    : what_(std::move(what)), terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (percent_ >= 0) (void)write_all(STDERR_FILENO, "\r\x1b[K");
}

void Progress::show(std::size_t done, std::size_t total) {
  if (!terminal_ || total == 0) return;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const int percent = static_cast<int>(100 * share);
  if (percent == percent_) return;
  percent_ = percent;
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start_;
  std::string line = "\r" + what_ + "  " + std::to_string(percent) + " %";
  if (percent > 0 && taken.count() > 0.5) line += "  " + estimate(taken.count(), share) + " left";
  (void)write_all(STDERR_FILENO, line + "\x1b[K");
}

}  // namespace binade::cli
