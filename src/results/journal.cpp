#include "results/journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "io/error.hpp"
#include "io/file.hpp"

namespace binade::results {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kSynchronise{200};

[[noreturn]] void refuse(const std::string& path, const std::string& what) {
  throw io::DataError("'" + path + "': " + what);
}

std::string shown(const std::string& value) {
  return value.size() <= 60 ? value : value.substr(0, 57) + "...";
}

std::string settings_line(const Settings& settings) {
  Json line = Json::object();
  for (const auto& [name, value] : settings) line[name] = value;
  return line.dump() + '\n';
}

/// What to do about a journal of another sweep.
constexpr const char* kElsewhere =
    "; expected the same sweep, another --out, or this journal deleted";

void compare(const std::string& path, const Json& theirs, const Settings& settings) {
  if (!theirs.is_object()) refuse(path, "no journal of a sweep");
  for (const auto& [name, value] : settings) {
    const auto found = theirs.find(name);
    const std::string other =
        found == theirs.end() || !found->is_string() ? "none" : found->get<std::string>();
    if (other != value) {
      refuse(path, "holds a sweep with " + name + " " + shown(other) + ", this one has " +
                       shown(value) + kElsewhere);
    }
  }
  if (theirs.size() != settings.size())
    refuse(path, std::string("holds another sweep") + kElsewhere);
}

/// Errors: Json's own, or DataError where the line does not describe one of `points`.
std::pair<std::size_t, FinishedPoint> parse_point(const Json& line, std::size_t points,
                                                  std::size_t columns) {
  FinishedPoint result;
  const auto point = line.at("point").get<std::size_t>();
  line.at("notes").get_to(result.notes);
  line.at("rows").get_to(result.rows);
  const auto as_wide = [&](const auto& row) { return row.size() == columns; };
  if (point >= points || !std::ranges::all_of(result.rows, as_wide)) {
    throw io::DataError("another grid's point");
  }
  return {point, std::move(result)};
}

}  // namespace

Journal::Journal(const std::string& path, const Settings& settings, std::size_t points,
                 std::size_t columns)
    : path_(path), owner_(::getpid()) {
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    throw io::DataError("cannot write '" + path + "': " + std::strerror(errno));
  }
  try {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      refuse(path, "another process is at work on this sweep, expected one at a time");
    }
    take_up(io::read_text_file(path), settings, points, columns);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

void Journal::take_up(const std::string& text, const Settings& settings, std::size_t points,
                      std::size_t columns) {
  std::size_t number = 0, torn = 0;  // lines, the first counted 1
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != text.npos; at = end + 1) {
    const Json line = Json::parse(text.begin() + static_cast<std::ptrdiff_t>(at),
                                  text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    ++number;
    if (line.is_discarded()) {  // what never reached the disk is the end of the file
      torn = torn == 0 ? number : torn;
      continue;
    }
    try {
      if (torn > 0) throw io::DataError("a whole line behind a torn one");
      if (number == 1) compare(path_, line, settings);
      if (number > 1) finished_.insert(parse_point(line, points, columns));
    } catch (const std::exception& error) {
      if (number == 1) throw;
      refuse(path_,
             "line " + std::to_string(torn > 0 ? torn : number) + " is no finished grid point");
    }
    length_ = end + 1;
  }
  if (length_ < text.size() && ::ftruncate(descriptor_, static_cast<off_t>(length_)) != 0) {
    throw io::DataError("cannot write '" + path_ + "': " + std::strerror(errno));
  }
  if (length_ == 0) append(settings_line(settings));
}

Journal::~Journal() {
  const bool forked = ::getpid() != owner_;  // a worker's copy: the file is not its business
  if (finished_.empty() && descriptor_ >= 0 && !forked) ::unlink(path_.c_str());
  release(forked);
}

/// Unlocked in so many words: workers that were forked hold the same lock, and may live on.
void Journal::release(bool forked) {
  if (descriptor_ < 0) return;
  if (!forked) (void)::flock(descriptor_, LOCK_UN);
  ::close(std::exchange(descriptor_, -1));
}

void Journal::add(std::size_t point, FinishedPoint result) {
  Json line = {{"point", point}, {"notes", result.notes}, {"rows", result.rows}};
  append(line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n');
  finished_.emplace(point, std::move(result));
}

void Journal::append(const std::string& line) {
  for (std::size_t at = 0; at < line.size();) {
    const ssize_t done = ::write(descriptor_, line.data() + at, line.size() - at);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) {
      const int error = errno;
      (void)!::ftruncate(descriptor_, static_cast<off_t>(length_));
      throw io::DataError("cannot write '" + path_ + "': " + std::strerror(error));
    }
    at += static_cast<std::size_t>(done);
  }
  length_ += line.size();
  const auto now = std::chrono::steady_clock::now();
  if (now - synchronised_ < kSynchronise) return;  // many small points must not wait for the disk
  (void)::fdatasync(descriptor_);
  synchronised_ = now;
}

void Journal::remove() {
  ::unlink(path_.c_str());
  release(false);
}

}  // namespace binade::results
