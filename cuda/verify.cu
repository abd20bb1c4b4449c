// What is compared, in which batches, and the report. The kernels are in verify_kernels.cu.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "binade/cuda/memory.hpp"
#include "binade/cuda/verify.hpp"
#include "binade/emulation/dot_neighbours.hpp"
#include "binade/emulation/dot_step.hpp"
#include "check.cuh"
#include "verify_kernels.cuh"

namespace binade::cuda {
namespace {

constexpr const char* kOperandNames[] = {"uniform",  "near_unit", "sparse", "subnormal",
                                         "specials", "cancel",    "low",    "mixed"};
constexpr const char* kAddendNames[] = {"zero", "near", "tiny", "any", "mixed", "nan"};
constexpr int kBatchTiles = 1056;  ///< eight a multiprocessor; a batch stays in the L2

/// One line of the report before it is measured.
struct Case {
  const TileForm* form;
  const Instruction* instruction;
  Operands operands;
  Addend addend;
  int steps;
  int tiles;
  std::uint64_t batches;
  bool grows;  ///< takes what is asked for beyond one batch of everything

  double outputs() const { return static_cast<double>(batches) * tiles * kTileRows * form->n; }
};

std::vector<const Instruction*> chosen(const std::vector<std::string>& names) {
  const std::vector<std::string> all = verifiable_instructions();
  std::vector<const Instruction*> list;
  for (const std::string& name : names.empty() ? all : names) {
    if (std::ranges::find(all, name) == all.end()) {
      find_instruction(name);  // a better hint for a name that nobody knows
      throw std::invalid_argument("instruction " + name + ": sm_90 does not have it");
    }
    list.push_back(&find_instruction(name));
  }
  return list;
}

/// The cases of one form of an instruction. The plain form's strata grow with the outputs asked
/// for; what else a form or a chain does differently shows on few.
void add_cases(const Instruction& instruction, const TileForm& form, bool plain,
               std::vector<Case>& cases) {
  const auto add = [&](Operands operands, Addend addend, int steps, bool grows) {
    const int tiles = steps == 1 ? kBatchTiles : kBatchTiles / 4;
    cases.push_back({&form, &instruction, operands, addend, steps, tiles, 1, grows});
  };
  if (!plain) {
    const Addend addend = form.ignores_d ? Addend::kNan : Addend::kMixed;
    add(Operands::kMixed, addend, 1, false);
    if (!form.ignores_d) add(Operands::kMixed, addend, 8, false);
    return;
  }
  for (int operands = 0; operands < kOperandKinds; ++operands) {
    for (int addend = 0; addend < kAddendKinds; ++addend) {
      add(static_cast<Operands>(operands), static_cast<Addend>(addend), 1, true);
    }
  }
  for (const int steps : {2, 4, 16, 64, 512}) {
    add(Operands::kNearUnit, Addend::kZero, steps, false);
    add(Operands::kMixed, Addend::kMixed, steps, false);
  }
}

std::vector<Case> make_cases(const VerifyOptions& options) {
  std::vector<Case> cases;
  for (const Instruction* instruction : chosen(options.instructions)) {
    bool plain = true;
    for (const TileForm& form : tile_forms()) {
      if (form.instruction != instruction->name) continue;
      add_cases(*instruction, form, plain, cases);
      plain = false;
    }
  }
  double fixed = 0, growing = 0;
  for (const Case& c : cases) (c.grows ? growing : fixed) += c.outputs();
  const double batches = std::max(1.0, std::ceil((options.outputs - fixed) / growing));
  for (Case& c : cases) {
    if (c.grows) c.batches = static_cast<std::uint64_t>(batches);
  }
  return cases;
}

VerifyRow blank_row(const Case& c, const std::string& model) {
  return {c.instruction->name,
          c.form->name,
          kOperandNames[static_cast<int>(c.operands)],
          kAddendNames[static_cast<int>(c.addend)],
          c.steps,
          model,
          0,
          0,
          {}};
}

/// The seed of a batch.
std::uint64_t hash(std::uint64_t seed, const VerifyRow& row, std::uint64_t batch) {
  for (const char letter : row.instruction + "/" + row.form + "/" + row.operands + "/" +
                               row.addend + "/" + std::to_string(row.steps) + "/" +
                               std::to_string(batch)) {
    seed = (seed ^ static_cast<unsigned char>(letter)) * 0x100000001b3u;  // FNV-1a
  }
  return seed;
}

/// The memory and the kernels of one device.
class Worker {
 public:
  explicit Worker(int device) {
    select_device(device);
    require_device(90, "verify");
    verdicts_ = DeviceArray(sizeof(Verdict));
  }

  /// Batches `first`, `first + stride`, ... of a case.
  void run(const Case& c, std::uint64_t seed, std::uint64_t first, std::uint64_t stride,
           VerifyRow& row) {
    const DotPlan plan = make_dot_plan(*c.instruction);
    for (std::uint64_t i = first; i < c.batches; i += stride) {
      const VerifyBatch batch = prepare(c, hash(seed, row, i));
      const Verdict verdict = ask(batch, plan, *c.form);
      row.outputs += static_cast<std::uint64_t>(c.tiles) * kTileRows * c.form->n;
      row.differ += verdict.differ;
      if (verdict.differ != 0 && !row.first) row.first = counterexample(c, batch, verdict.first);
    }
  }

  /// The case's first batch under every neighbour, a row each.
  std::vector<VerifyRow> run_neighbours(const Case& c, std::uint64_t seed) {
    const VerifyBatch batch = prepare(c, hash(seed, blank_row(c, ""), 0));
    std::vector<VerifyRow> rows;
    Instruction other = *c.instruction;
    for (const DotNeighbour& neighbour : dot_neighbours(*c.instruction)) {
      other.model = neighbour.model;
      VerifyRow row = blank_row(c, neighbour.name);
      row.differ = ask(batch, make_dot_plan(other), *c.form).differ;
      row.outputs = static_cast<std::uint64_t>(c.tiles) * kTileRows * c.form->n;
      rows.push_back(row);
    }
    return rows;
  }

 private:
  VerifyBatch prepare(const Case& c, std::uint64_t seed) {
    const std::size_t tiles = static_cast<std::size_t>(c.tiles), n = c.form->n;
    const std::size_t steps = tiles * static_cast<std::size_t>(c.steps);
    const std::size_t out = tiles * kTileRows * n * c.instruction->c.container_bits() / 8;
    VerifyBatch batch{
        c.instruction->a, c.instruction->b, c.instruction->c, c.operands,  c.addend, seed,
        c.form->n,        c.tiles,          c.steps,          c.form->kept};
    batch.a_codes = grown(a_, steps * kTileRows * kStepBytes);
    batch.b_codes = grown(b_, steps * n * kStepBytes);
    if (c.form->kept != 0) batch.b_full = grown(b_full_, steps * n * 2 * kStepBytes);
    batch.c_codes = grown(c_, out);
    batch.d_codes = grown(d_, out);
    make_inputs(batch);
    const std::byte* b = c.form->kept != 0 ? batch.b_full : batch.b_codes;
    c.form->launch({batch.a_codes, b, batch.c_codes, batch.d_codes, c.tiles, c.steps});
    return batch;
  }

  Verdict ask(const VerifyBatch& batch, const DotPlan& plan, const TileForm& form) {
    Verdict verdict;
    check(cudaMemcpyAsync(verdicts_.data(), &verdict, sizeof verdict, cudaMemcpyHostToDevice),
          "verdict");
    judge(batch, plan, form, verdicts_.as<Verdict>());
    verdicts_.download(&verdict, sizeof verdict);
    return verdict;
  }

  static std::byte* grown(DeviceArray& array, std::size_t bytes) {
    if (array.size() < bytes) array = DeviceArray(bytes);
    return array.as<std::byte>();
  }

  Counterexample counterexample(const Case& c, const VerifyBatch& batch, std::uint64_t index) {
    const std::size_t n = c.form->n, steps = c.steps;
    const std::size_t tile = index / (kTileRows * n), row = index / n % kTileRows, col = index % n;
    Counterexample example;
    example.k = steps * static_cast<std::size_t>(c.instruction->k);
    const auto fetch = [&](const std::byte* from, std::size_t rows, std::size_t r, FloatFormat f,
                           bool negate) {
      std::vector<std::byte> codes(steps * kStepBytes);
      for (std::size_t s = 0; s < steps; ++s) {
        check(cudaMemcpy(codes.data() + s * kStepBytes,
                         from + ((tile * steps + s) * rows + r) * kStepBytes, kStepBytes,
                         cudaMemcpyDeviceToHost),
              "counterexample");
      }
      // The sign is the top bit of the container's last byte (little endian), whatever the type.
      const std::size_t width = f.container_bits() / 8;
      for (std::size_t i = width - 1; negate && i < codes.size(); i += width) {
        codes[i] ^= std::byte{0x80};
      }
      return codes;
    };
    example.a = fetch(batch.a_codes, kTileRows, row, c.instruction->a, c.form->negate_a);
    example.b = fetch(batch.b_codes, n, col, c.instruction->b, c.form->negate_b);
    const std::size_t bytes = c.instruction->c.container_bits() / 8;
    const auto word = [&](const void* array) {
      std::uint32_t value = 0;
      check(cudaMemcpy(&value, static_cast<const std::byte*>(array) + index * bytes, bytes,
                       cudaMemcpyDeviceToHost),
            "counterexample");
      return value;
    };
    example.c = c.form->ignores_d ? 0 : word(batch.c_codes);
    example.hardware = word(batch.d_codes);
    dot(*c.instruction, example.a.data(), example.b.data(), &example.c, &example.model, 1,
        example.k, 1);
    return example;
  }

  DeviceArray a_, b_, b_full_, c_, d_, verdicts_;
};

/// One thread a device, each taking its share of every case's batches; the rows are added up.
class Verification {
 public:
  Verification(const VerifyOptions& options, std::vector<Case> cases)
      : options_(options), cases_(std::move(cases)) {
    for (const Case& c : cases_) {
      rows_.push_back(blank_row(c, "model"));
      total_ += c.outputs();
    }
  }

  std::vector<VerifyRow> run() {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < options_.devices.size(); ++i) {
      threads.emplace_back([this, i] { work(i); });
    }
    for (std::thread& thread : threads) thread.join();
    if (error_) std::rethrow_exception(error_);
    std::vector<VerifyRow> all = rows_;
    all.insert(all.end(), neighbours_.begin(), neighbours_.end());
    return all;
  }

 private:
  void work(std::size_t part) try {
    Worker worker(options_.devices[part]);
    const std::size_t parts = options_.devices.size();
    for (std::size_t i = 0; i < cases_.size() && !failed_; ++i) {
      VerifyRow row = blank_row(cases_[i], "model");
      worker.run(cases_[i], options_.seed, part, parts, row);
      std::lock_guard lock(mutex_);
      rows_[i].outputs += row.outputs;
      rows_[i].differ += row.differ;
      if (row.first && !rows_[i].first) rows_[i].first = row.first;
      done_ += static_cast<double>(row.outputs);
      if (options_.progress) options_.progress(done_, total_);
    }
    if (part == 0) try_neighbours(worker);
  } catch (...) {
    std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
    failed_ = true;
  }

  /// Summed over the strata of the plain form: a row an instruction and neighbour.
  void try_neighbours(Worker& worker) {
    for (std::size_t i = 0; i < cases_.size() && !failed_; ++i) {
      const Case& c = cases_[i];
      if (!c.grows) continue;
      for (VerifyRow& row : worker.run_neighbours(c, options_.seed)) {
        auto same = std::ranges::find_if(neighbours_, [&](const VerifyRow& r) {
          return r.instruction == row.instruction && r.model == row.model;
        });
        if (same == neighbours_.end()) {
          row.operands = row.addend = "all";
          neighbours_.push_back(row);
        } else {
          same->outputs += row.outputs;
          same->differ += row.differ;
        }
      }
    }
  }

  const VerifyOptions& options_;
  std::vector<Case> cases_;
  std::vector<VerifyRow> rows_, neighbours_;
  std::mutex mutex_;
  std::exception_ptr error_;
  std::atomic<bool> failed_ = false;
  double done_ = 0, total_ = 0;
};

}  // namespace

std::vector<std::string> verifiable_instructions() {
  std::vector<std::string> names;
  for (const TileForm& form : tile_forms()) {
    if (names.empty() || names.back() != form.instruction) names.push_back(form.instruction);
  }
  return names;
}

std::vector<VerifyRow> verify_instructions(const VerifyOptions& options) {
  if (!(options.outputs > 0) || options.outputs > 1e15) {
    throw std::invalid_argument("verify: outputs: expected more than 0 and at most 1e15");
  }
  if (options.devices.empty()) throw std::invalid_argument("verify: no devices named");
  return Verification(options, make_cases(options)).run();
}

}  // namespace binade::cuda
