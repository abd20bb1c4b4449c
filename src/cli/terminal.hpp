// How things look to the person at the terminal: aligned columns, one-line errors, progress.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace binade::cli {

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

/// A line on standard error that is written over; nothing where that is no terminal.
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
};

}  // namespace binade::cli
