// How things look to the person at the terminal: aligned columns, one-line errors, progress.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace binade::cli {

/// What a colour stands for; the page uses the same.
enum class Ink { kSign, kExponent, kMantissa, kLost, kFaint };

/// The text in its colour, where standard output is a terminal that has colours and NO_COLOR is not
/// set; elsewhere the text as it is. Source: no-color.org.
std::string ink(Ink what, std::string_view text);

/// Columns as wide as their widest cell, two spaces apart.
class TextTable {
 public:
  /// A heading that begins with '>' stands, as its column does, to the right.
  explicit TextTable(std::vector<std::string> headings);
  void row(std::vector<std::string> cells);
  std::string text() const;
  std::string markdown() const;

 private:
  std::vector<std::string> headings_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

/// "error: MESSAGE" on one line of standard error, whatever the message holds.
void write_error(const std::string& message);

/// Writes all of it. A reader that went away is no error.
/// Errors: io::DataError when the disk behind it is full.
void write_standard_output(const std::string& text);

/// The command as one would type it again.
std::string shell_line(int argc, char** argv);

/// A line on standard error that is written over, with an estimate of the rest; nothing where that
/// is no terminal.
class Progress {
 public:
  explicit Progress(std::string what);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::size_t done, std::size_t total);

 private:
  std::string what_;
  bool terminal_;
  int percent_ = -1;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace binade::cli
