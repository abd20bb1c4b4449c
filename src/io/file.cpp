#include "io/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "io/error.hpp"

namespace binade::io {
namespace {

std::string reason(int error) { return std::strerror(error); }

/// A path that follows symbolic links to where the bytes will lie.
std::string resolve(const std::string& path) {
  std::error_code error;
  const auto resolved = std::filesystem::canonical(path, error);
  return error ? path : resolved.string();
}

std::string directory_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// Temporaries that a signal handler would have to remove. A slot's path is complete before the slot
// is marked as used.
struct Slot {
  std::atomic<bool> used{false};
  std::array<char, 4096> path{};
};
std::array<Slot, 16> slots;

void remember_temporary(const std::string& path) {
  for (Slot& slot : slots) {
    if (slot.used || path.size() >= slot.path.size()) continue;
    std::copy(path.c_str(), path.c_str() + path.size() + 1, slot.path.data());
    slot.used = true;
    return;
  }
}

void forget_temporary(const std::string& path) {
  for (Slot& slot : slots) {
    if (slot.used && path == slot.path.data()) slot.used = false;
  }
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) throw DataError("cannot read '" + path + "': " + reason(errno));
  struct stat status {};
  const bool known = ::fstat(descriptor_, &status) == 0;
  if (known && S_ISREG(status.st_mode)) {
    size_ = static_cast<std::uint64_t>(status.st_size);
    return;
  }
  ::close(std::exchange(descriptor_, -1));
  throw DataError("cannot read '" + path + "': it is " +
                  (known && S_ISDIR(status.st_mode) ? "a directory" : "no regular file") +
                  ", expected a file");
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void InputFile::read(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset > size_ || into.size() > size_ - offset) {
    throw DataError("'" + path_ + "' has " + std::to_string(size_) + " bytes, expected " +
                    std::to_string(into.size()) + " at offset " + std::to_string(offset));
  }
  while (!into.empty()) {
    const ssize_t got = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw DataError("cannot read '" + path_ + "': " + reason(errno));
    if (got == 0) throw DataError("'" + path_ + "' was cut short while it was read");
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

std::string InputFile::read_text(std::uint64_t offset, std::size_t length) const {
  std::string text(length, '\0');
  read(offset, std::as_writable_bytes(std::span(text.data(), text.size())));
  return text;
}

std::string read_text_file(const std::string& path, std::size_t limit) {
  const InputFile file(path);
  if (file.size() > limit) {
    throw DataError("'" + path + "' has " + std::to_string(file.size()) +
                    " bytes, expected at most " + std::to_string(limit));
  }
  return file.read_text(0, static_cast<std::size_t>(file.size()));
}

OutputFile::OutputFile(const std::string& path) : path_(path), target_(resolve(path)) {
  struct stat status {};
  const bool exists = ::stat(target_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) fail("it is a directory, expected a file");
  if (exists && !S_ISREG(status.st_mode)) {
    // Renaming over /dev/stdout or /dev/full would replace the device.
    descriptor_ = ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
    if (descriptor_ < 0) fail(reason(errno));
    return;
  }
  // Renaming asks the directory alone; a file that was made read-only is meant to stay.
  if (exists && ::access(target_.c_str(), W_OK) != 0) fail(reason(errno));
  const auto name = std::filesystem::path(target_).filename().string();
  if (name.empty()) fail("the name is empty, expected a file");
  static std::atomic<unsigned> serial{0};
  temporary_ = directory_of(target_) + "/." + name.substr(0, 200) + "." +
               std::to_string(::getpid()) + "." + std::to_string(serial++) + ".tmp";
  remember_temporary(temporary_);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    const int error = errno;
    forget_temporary(temporary_);
    temporary_.clear();
    fail(reason(error));
  }
  if (exists) (void)::fchmod(descriptor_, status.st_mode & 07777);
}

OutputFile::~OutputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) {
    ::unlink(temporary_.c_str());
    forget_temporary(temporary_);
  }
}

void OutputFile::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(reason(errno));
    if (done == 0) fail("the disk takes no more bytes");
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

void OutputFile::write(std::string_view text) {
  write(std::as_bytes(std::span(text.data(), text.size())));
}

void OutputFile::commit() {
  flush_and_close();
  if (temporary_.empty()) return;
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) fail(reason(errno));
  forget_temporary(temporary_);
  temporary_.clear();
}

void OutputFile::flush_and_close() {
  // Some file systems report a full disk only here. Pipes and devices cannot be synchronised.
  if (!temporary_.empty() && ::fsync(descriptor_) != 0 && errno != EINVAL && errno != ENOTSUP) {
    fail(reason(errno));
  }
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) fail(reason(errno));
}

void OutputFile::fail(const std::string& what) const {
  throw DataError("cannot write '" + path_ + "': " + what);
}

void discard_unfinished_outputs() noexcept {
  for (Slot& slot : slots) {
    if (slot.used) ::unlink(slot.path.data());
  }
}

}  // namespace binade::io
