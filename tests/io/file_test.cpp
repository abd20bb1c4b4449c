#include "io/file.hpp"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "scratch.hpp"

using namespace binade::io;

TEST_CASE("an output appears under its name only when it is committed") {
  const Scratch scratch;
  scratch.write("out", "old");
  {
    OutputFile file(scratch.file("out"));
    file.write("new, whole");
    CHECK(scratch.read("out") == "old");
    CHECK(scratch.entries() == 2);
    file.commit();
    CHECK(scratch.read("out") == "new, whole");
    CHECK(scratch.entries() == 1);
  }
  CHECK(scratch.read("out") == "new, whole");
}

TEST_CASE("an output that is not committed leaves nothing behind") {
  const Scratch scratch;
  { OutputFile(scratch.file("out")).write("half"); }
  CHECK(scratch.entries() == 0);
  {
    OutputFile file(scratch.file("out"));
    file.write("half");
    discard_unfinished_outputs();  // what the signal handler does
    CHECK(scratch.entries() == 0);
  }
}

TEST_CASE("a file too large for the disk is an error and leaves the old one") {
  // RLIMIT_FSIZE stands in for a full disk: write() comes back short, then fails.
  const Scratch scratch;
  scratch.write("out", "old");
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{100, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string message = data_error([&] {
    OutputFile file(scratch.file("out"));
    file.write(std::string(150, 'x'));
    file.commit();
  });
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK_THAT(message, ContainsSubstring("cannot write") && ContainsSubstring("too large"));
  CHECK(scratch.read("out") == "old");
  CHECK(scratch.entries() == 1);
}

TEST_CASE("a full device is an error and stays a device") {
  const Scratch scratch;
  std::filesystem::create_symlink("/dev/full", scratch.file("out"));
  const std::string message = data_error([&] {
    OutputFile file(scratch.file("out"));
    file.write("x");
    file.commit();
  });
  CHECK_THAT(message, ContainsSubstring("No space left"));
  CHECK(scratch.entries() == 1);
  CHECK(std::filesystem::is_character_file("/dev/full"));
}

TEST_CASE("a symbolic link is written through, permissions are kept") {
  const Scratch scratch;
  scratch.write("real", "old");
  REQUIRE(::chmod(scratch.file("real").c_str(), 0640) == 0);
  std::filesystem::create_symlink("real", scratch.file("link"));
  OutputFile file(scratch.file("link"));
  file.write("new");
  file.commit();
  CHECK(std::filesystem::is_symlink(scratch.file("link")));
  CHECK(scratch.read("real") == "new");
  struct stat status {};
  REQUIRE(::stat(scratch.file("real").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
}

TEST_CASE("places that cannot be written are refused by name") {
  const Scratch scratch;
  CHECK_THAT(data_error([&] { OutputFile(scratch.path.string()); }),
             ContainsSubstring("directory"));
  CHECK_THAT(data_error([&] { OutputFile(scratch.file("no/out")); }),
             ContainsSubstring("no/out") && ContainsSubstring("No such file"));
  CHECK_THROWS_AS(OutputFile(""), DataError);
  CHECK(scratch.entries() == 0);
}

TEST_CASE("a file is read at any offset, and never beyond its end") {
  const Scratch scratch;
  const InputFile file(scratch.write("in", "0123456789"));
  CHECK(file.size() == 10);
  CHECK(file.read_text(4, 3) == "456");
  CHECK(file.read_text(10, 0).empty());
  CHECK_THROWS_AS(file.read_text(8, 3), DataError);
  CHECK_THROWS_AS(file.read_text(~std::uint64_t{0}, 3), DataError);
  scratch.write("in", "012");  // cut short while it is open
  CHECK_THAT(data_error([&] { (void)file.read_text(0, 10); }), ContainsSubstring("cut short"));
}

TEST_CASE("inputs that are no files are refused by what they are") {
  const Scratch scratch;
  CHECK_THAT(data_error([&] { InputFile(scratch.file("none")); }),
             ContainsSubstring("No such file"));
  CHECK_THAT(data_error([&] { InputFile(scratch.path.string()); }),
             ContainsSubstring("a directory, expected a file"));
  CHECK_THAT(data_error([&] { InputFile("/dev/zero"); }), ContainsSubstring("no regular file"));
  CHECK_THROWS_AS(read_text_file(scratch.write("in", "12345"), 4), DataError);
}
