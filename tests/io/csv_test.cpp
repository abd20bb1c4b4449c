#include "io/csv.hpp"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "scratch.hpp"

using namespace binade::io;

namespace {

const Provenance kProvenance{"0.1.0", "binade run x --note 'a; seed: b'", "1234", "x86-64-v3",
                             "none"};
const std::string kFirst =
    "# binade 0.1.0; command: binade run x --note 'a; seed: b'; seed: 1234; isa: x86-64-v3; "
    "device: none\n";

}  // namespace

TEST_CASE("csv: the file as RFC 4180 quotes it") {
  const Scratch scratch;
  write_csv(scratch.file("t.csv"),
            {kProvenance,
             {"a note", "two\nlines"},
             {"name", "value"},
             {{"plain", "1"}, {"a,b", "say \"x\""}, {"#no", "line\nbreak"}}});
  CHECK(scratch.read("t.csv") == kFirst +
                                     "# a note\n# two lines\nname,value\nplain,1\n"
                                     "\"a,b\",\"say \"\"x\"\"\"\n\"#no\",\"line\nbreak\"\n");
  CHECK(scratch.entries() == 1);
}

TEST_CASE("csv: what is written is read back") {
  const Scratch scratch;
  const std::vector<std::vector<std::string>> rows = {
      {"", ""}, {"#", "a"}, {"\"", ",\r\n"}, {"\r", "\n"}, {" ", "\"\"\""}, {"x\"y", "é"}};
  write_csv(scratch.file("t.csv"), {kProvenance, {"n"}, {"#a", "b,c"}, rows});
  const Csv back = read_csv(scratch.file("t.csv"));
  CHECK(back.provenance.version == "0.1.0");
  CHECK(back.provenance.command == kProvenance.command);
  CHECK(back.provenance.seed == "1234");
  CHECK(back.provenance.isa == "x86-64-v3");
  CHECK(back.provenance.device == "none");
  CHECK(back.notes == std::vector<std::string>{"n"});
  CHECK(back.columns == std::vector<std::string>{"#a", "b,c"});
  CHECK(back.rows == rows);
  write_csv(scratch.file("one.csv"), {kProvenance, {}, {"a"}, {{""}, {"x"}}});
  CHECK(read_csv(scratch.file("one.csv")).rows ==
        std::vector<std::vector<std::string>>{{""}, {"x"}});
}

TEST_CASE("csv: CRLF is read, malformed files are refused") {
  const Scratch scratch;
  const auto parse = [&](const std::string& text) {
    return read_csv(scratch.write("t.csv", text));
  };
  CHECK(parse(kFirst + "a,b\r\n1,2\r\n").rows == std::vector<std::vector<std::string>>{{"1", "2"}});
  CHECK(parse(kFirst + "a,b\n1,2").rows.size() == 1);
  const auto refuse = [&](const std::string& text) { return data_error([&] { parse(text); }); };
  CHECK_THAT(refuse(""), ContainsSubstring("expected # binade"));
  CHECK_THAT(refuse("a,b\n1,2\n"), ContainsSubstring("the first line is 'a,b'"));
  CHECK_THAT(refuse(kFirst), ContainsSubstring("no line of column names"));
  CHECK_THAT(refuse(kFirst + "a,b\n1\n"), ContainsSubstring("1 fields, expected 2"));
  CHECK_THAT(refuse(kFirst + "a,b\n1,2,3\n"), ContainsSubstring("3 fields, expected 2"));
  CHECK_THAT(refuse(kFirst + "a,b\n1,\"2\n"), ContainsSubstring("without its partner"));
  CHECK_THAT(refuse(kFirst + "a,b\n1,\"2\"3\n"), ContainsSubstring("after a closing quote"));
  CHECK_THAT(refuse(kFirst + "a,b\n1,2\"3\n"), ContainsSubstring("line 3: a quote inside"));
  CHECK_THROWS_AS(write_csv(scratch.file("t.csv"), {kProvenance, {}, {"a"}, {{"1", "2"}}}),
                  std::invalid_argument);
}

TEST_CASE("csv: numbers read back as the same doubles") {
  for (const double x : {0.1, -0.0, 1e300, 5e-324, 1.0 / 3, 123456789012345678.0}) {
    const std::string text = number_text(x);
    CHECK(std::bit_cast<std::uint64_t>(std::strtod(text.c_str(), nullptr)) ==
          std::bit_cast<std::uint64_t>(x));
  }
  CHECK(number_text(0.1) == "0.1");
  CHECK(number_text(-std::nan("")) == "nan");
  CHECK(number_text(-std::numeric_limits<double>::infinity()) == "-inf");
}
