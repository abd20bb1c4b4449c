// What a sweep has finished so far: a file that grows by one line a grid point, so that whatever
// ends the work, a power cut included, takes at most the lines that were not yet written.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace binade::results {

/// What makes two sweeps the same: names and values, in the order in which they are compared.
using Settings = std::vector<std::pair<std::string, std::string>>;

/// The rows of one grid point, as a CSV holds them.
struct FinishedPoint {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> notes;
};

/// The first line holds the settings, each further one a finished point; every line is JSON. A line
/// is written at once, and brought to the disk itself a fifth of a second later at most if points
/// follow; what was cut short, which can only be the end, is dropped when the journal is opened
/// again.
class Journal {
 public:
  /// Makes the file, or takes up what it holds. It is locked while the object lives.
  /// Errors: io::DataError when it cannot be opened or is none, when another process has it, and
  /// when it is of other settings, of which the first is named.
  Journal(const std::string& path, const Settings& settings, std::size_t points,
          std::size_t columns);
  /// A journal without a finished point leaves no file.
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const std::string& path() const { return path_; }
  const std::map<std::size_t, FinishedPoint>& finished() const { return finished_; }
  /// Errors: io::DataError when the disk is full; the file then ends with the point before.
  void add(std::size_t point, FinishedPoint result);
  /// The sweep is complete and stands elsewhere: the file goes.
  void remove();

 private:
  void take_up(const std::string& text, const Settings& settings, std::size_t points,
               std::size_t columns);
  void append(const std::string& line);
  void release(bool forked);

  std::string path_;
  int owner_ = 0;  ///< the process
  int descriptor_ = -1;
  std::size_t length_ = 0;  ///< bytes of whole lines
  std::chrono::steady_clock::time_point synchronised_{};
  std::map<std::size_t, FinishedPoint> finished_;
};

}  // namespace binade::results
