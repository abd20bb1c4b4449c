// Files that are read in pieces, and files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace binade::io {

/// A regular file opened for reading at any offset.
/// Errors: DataError when it is missing, unreadable, a directory, or shorter than a read asks for.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_; }
  void read(std::uint64_t offset, std::span<std::byte> into) const;
  std::string read_text(std::uint64_t offset, std::size_t length) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

/// The whole of a text file. Errors: as InputFile, and DataError beyond `limit` bytes.
std::string read_text_file(const std::string& path, std::size_t limit = std::size_t{1} << 30);

/// An output that exists under its name only once commit() returned: until then it is a temporary
/// in the same directory, which the destructor removes. A device or pipe is written directly.
///
/// Several outputs that belong together are all written first and then committed.
/// Errors: DataError for a missing or unwritable directory, a directory in place of the file, a
/// full disk, a short write, a failed close.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  void commit();

 private:
  [[noreturn]] void fail(const std::string& what) const;
  void flush_and_close();

  std::string path_;       ///< as the caller wrote it, for messages
  std::string target_;     ///< behind symbolic links
  std::string temporary_;  ///< empty where the target is written directly
  int descriptor_ = -1;
};

/// Removes the temporaries of all uncommitted outputs. Async-signal-safe, for handlers of SIGINT
/// and the like, after which the process must end.
void discard_unfinished_outputs() noexcept;

}  // namespace binade::io
