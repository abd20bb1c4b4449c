// How fast arrays are cast, beside a loop that only reads and writes the same bytes.
#include <algorithm>
#include <memory>
#include <stdexcept>

#include "binade/formats/cast.hpp"
#include "binade/formats/catalog.hpp"
#include "limits.hpp"
#include "sampling.hpp"
#include "support.hpp"
#include "timing.hpp"

namespace binade::experiments {

namespace {

constexpr const char* kLimit = "limit";
constexpr const char* kLimitLarge = "limit past the caches";

/// A cast, or the loop that moves as many bytes of the same widths.
struct Trial : Timed {
  std::string operation, format, rounding;
  std::size_t elements;
  int from_bytes, to_bytes;

  /// Whether this is a loop that moves what the other trial moves.
  bool is_limit_of(const Trial& other) const {
    return (operation == kLimit || operation == kLimitLarge) && isa == other.isa &&
           elements == other.elements && from_bytes == other.from_bytes &&
           to_bytes == other.to_bytes;
  }
};

/// Numbers, and room for what becomes of them.
struct Arrays {
  std::vector<float> numbers, values;
  std::vector<std::uint32_t> out;  ///< room for the widest containers, and a line

  Arrays(std::size_t count, std::uint64_t seed)
      : numbers(sample("normal", count, seed)), values(count), out(count + 16) {}
  /// On a cache line.
  void* room() {
    const auto past = reinterpret_cast<std::uintptr_t>(out.data()) % 64;
    return reinterpret_cast<std::byte*>(out.data()) + (64 - past) % 64;
  }
};

class Plan {
 public:
  Plan(const Arguments& arguments, std::vector<Trial>& trials)
      : isas_(isa_argument(arguments)), trials_(trials) {}

  /// One trial an ISA, and the limit for its widths where it is not there yet.
  void add(const std::string& operation, const std::string& format, const std::string& rounding,
           Arrays& arrays, int from_bytes, int to_bytes, const std::function<void()>& once) {
    const std::size_t n = arrays.numbers.size();
    for (const Isa isa : isas_) {
      const Trial t = trial(isa, operation, format, rounding, n, from_bytes, to_bytes, once);
      if (std::ranges::none_of(trials_, [&](const Trial& other) { return other.is_limit_of(t); })) {
        add_limits(isa, arrays, from_bytes, to_bytes);
      }
      trials_.push_back(t);
    }
  }

 private:
  void add_limits(Isa isa, Arrays& arrays, int from_bytes, int to_bytes) {
    const std::size_t n = arrays.numbers.size();
    const void* from = arrays.numbers.data();
    void* to = arrays.room();
    trials_.push_back(trial(isa, kLimit, "-", "-", n, from_bytes, to_bytes,
                            [=] { limits().convert(from, from_bytes, to, to_bytes, n); }));
    if (n * static_cast<std::size_t>(from_bytes + to_bytes) < kLargeBytes) return;
    trials_.push_back(trial(isa, kLimitLarge, "-", "-", n, from_bytes, to_bytes,
                            [=] { limits().convert_large(from, from_bytes, to, to_bytes, n); }));
  }

  /// Small arrays are done several times in a run, so that the clock can tell.
  static Trial trial(Isa isa, const std::string& operation, const std::string& format,
                     const std::string& rounding, std::size_t n, int from_bytes, int to_bytes,
                     const std::function<void()>& once) {
    const std::size_t calls = std::max<std::size_t>(1, (std::size_t{1} << 22) / n);
    const auto run = [=] {
      for (std::size_t i = 0; i < calls; ++i) once();
    };
    return {{isa, static_cast<double>(calls * n), run},
            operation,
            format,
            rounding,
            n,
            from_bytes,
            to_bytes};
  }

  std::vector<Isa> isas_;
  std::vector<Trial>& trials_;
};

void add_format(Plan& plan, const Arguments& arguments, const FormatInfo& format, Arrays& arrays) {
  const FloatFormat f = format.format;
  const int bytes = f.container_bits() / 8;
  if (bytes > 4) throw std::invalid_argument("parameter formats: " + format.name + " is too wide");
  const std::size_t n = arrays.numbers.size();
  for (const std::string& rounding : arguments.text_list("roundings")) {
    CastRules rules;
    rules.rounding = parse_rounding(rounding);
    rules.random_bits = static_cast<int>(size_argument(arguments, "random_bits"));
    plan.add("encode", format.name, rounding, arrays, 4, bytes, [&arrays, f, rules, n] {
      cast(kFp32Format, arrays.numbers.data(), f, arrays.room(), n, rules, 1);
    });
  }
  const auto codes = std::make_shared<std::vector<std::uint32_t>>(n);
  cast(kFp32Format, arrays.numbers.data(), f, codes->data(), n);
  plan.add("decode", format.name, "-", arrays, bytes, 4,
           [&arrays, codes, f] { decode(f, codes->data(), arrays.values); });
  plan.add("round_to", format.name, "nearest_even", arrays, 4, 4,
           [&arrays, f] { round_to(f, arrays.numbers, arrays.values); });
}

Table run(const Arguments& arguments) {
  std::vector<Trial> trials;
  Plan plan(arguments, trials);
  std::vector<std::unique_ptr<Arrays>> arrays;  // the trials hold references
  for (const std::int64_t elements : arguments.integer_list("elements")) {
    arrays.push_back(
        std::make_unique<Arrays>(checked_size("elements", elements), seed_argument(arguments)));
    for (const std::string& name : arguments.text_list("formats")) {
      add_format(plan, arguments, parse_format(name), *arrays.back());
    }
  }
  time_interleaved(trials, size_argument(arguments, "repeats"), arguments);
  Table table;
  for (const Trial& t : trials) {
    double limit = 0;
    for (const Trial& other : trials) {
      if (other.is_limit_of(t)) limit = std::max(limit, other.rate(0.5));
    }
    table.rows.push_back({t.operation, t.format, t.rounding, std::int64_t{t.from_bytes},
                          std::int64_t{t.to_bytes}, count_cell(t.elements),
                          std::string(isa_name(t.isa)), count_cell(t.seconds.size()), t.rate(0.5),
                          t.rate(0.0), t.rate(1.0), t.rate(0.5) / limit});
  }
  table.notes.push_back(
      "limit: a loop that reads and writes words of the same widths and does nothing else, "
      "compiled "
      "for the same ISA; for large arrays also one that reads ahead and writes past the caches, "
      "and shares are of the faster; one thread");
  return table;
}

}  // namespace

Experiment cast_throughput() {
  Experiment e;
  e.name = "cast_throughput";
  e.question = "How fast is a cast, beside a loop that only reads and writes?";
  e.source = "this project";
  e.parameters = {
      {"formats", "e4m3,e5m2,fp16,bf16,e5m6,binary8p4se", "e4m3,fp16", "of the codes", {}},
      {"roundings",
       "nearest_even,toward_zero,up,to_odd,stochastic_b",
       "nearest_even",
       "of encode",
       {}},
      {"elements",
       "16777216,65536",
       "1024",
       "lengths of the arrays: beyond the caches, within",
       {}},
      {"random_bits", "8", "", "of a stochastic rounding's draw", {}},
      isa_parameter(),
      {"repeats", "7", "3", "timed runs of each, interleaved", {}},
      seed_parameter(),
  };
  e.columns = {
      {"operation", "", "encode (fp32 to codes), decode (codes to fp32), round_to, or a limit"},
      {"format", "", "of the codes"},
      {"rounding", "", "of encode and round_to"},
      {"from_bytes", "B", "read for each element"},
      {"to_bytes", "B", "written for each element"},
      {"elements", "", "of the array"},
      {"isa", "", "instruction set of the loops"},
      {"repeats", "", "timed runs"},
      {"rate", "G/s", "elements a second of the thread's own time, median run"},
      {"rate_slowest", "G/s", "the same of the slowest run"},
      {"rate_fastest", "G/s", "the same of the fastest run"},
      {"share_of_limit", "",
       "median rate over the faster limit's for the same widths, length and ISA"},
  };
  e.measures_time = true;
  e.keeps_figure = true;
  e.run = run;
  return e;
}

}  // namespace binade::experiments
