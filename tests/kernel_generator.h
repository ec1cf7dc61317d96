/// Random kernels with their buffers, for the tests of executors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "backends/cpu/kernel_executor.h"
#include "engine/plan/kernel.h"

namespace genera::oracle {

/// A kernel, the bytes of its buffers and the scalars.
struct Case {
  Kernel kernel;
  std::vector<std::vector<std::uint8_t>> memory;  ///< distinct allocations
  std::vector<int> memory_of;                     ///< of each buffer: in-place stores share one
  std::vector<cpu::ScalarValue> scalars;
};

class Generator {
 public:
  explicit Generator(std::uint64_t seed, std::int64_t most_elements = 12000)
      : random_(seed), most_elements_(most_elements) {}

  Case make() {
    Case c;
    case_ = &c;
    choose_extents();
    for (int i = 0; i < 3; ++i)
      c.scalars.push_back(
          {static_cast<double>(below(2000)) / 500 - 2, static_cast<std::int64_t>(random_())});
    const int inputs = below(5) + 1;
    for (int i = 0; i < inputs; ++i) add_source();
    const int length = below(20) + 1;
    for (int i = 0; i < length; ++i) add_instruction();
    const int stores = below(4) + 1;
    for (int i = 0; i < stores; ++i) add_store();
    return c;
  }

 private:
  using Type = LaneType;
  int below(int n) { return static_cast<int>(random_() % static_cast<std::uint64_t>(n)); }
  bool chance(int percent) { return below(100) < percent; }
  Kernel& kernel() { return case_->kernel; }
  std::int16_t count() { return static_cast<std::int16_t>(kernel().code.size()); }

  void choose_extents() {
    static constexpr int sizes[] = {1,  2,  3,  4,  5,  7,   8,   10,  13,   16,  17,
                                    20, 31, 33, 64, 65, 100, 130, 300, 1025, 2500};
    Kernel& k = kernel();
    k.rank = below(5);
    std::int64_t elements = 1;
    const bool reduces = chance(70);
    for (int d = 0; d < k.rank; ++d) {
      const auto u = static_cast<std::size_t>(d);
      std::int64_t e = sizes[below(21)];
      if (most_elements_ > 100000 && chance(40)) e *= 1 + below(100);
      if (chance(2)) e = 0;
      if (elements * e > most_elements_) e = 1 + below(3);
      elements *= std::max<std::int64_t>(e, 1);  // the bound holds beside an empty dimension too
      k.extents[u] = e;
      k.reduced[u] = reduces && chance(50);
    }
  }

  /// A view of a fresh buffer (layout random), whose least element is 0; `size` gets the number of
  /// elements.
  AffineView make_view(bool kept, bool output, std::int64_t& size) {
    Kernel& k = kernel();
    std::vector<std::size_t> dims;
    for (std::size_t d = 0; d < static_cast<std::size_t>(k.rank); ++d)
      if (!(kept && k.reduced[d])) dims.push_back(d);
    if (chance(30)) std::shuffle(dims.begin(), dims.end(), random_);
    AffineView view;
    std::int64_t step = 1;
    size = 1;
    for (std::size_t i = dims.size(); i-- > 0;) {
      const std::size_t d = dims[i];
      if (k.extents[d] == 0) continue;
      if (!output && chance(15)) continue;  // broadcast
      if (chance(8)) step *= 2;             // a slice with gaps
      view.stride[d] = step;
      size += step * (k.extents[d] - 1);
      if (chance(8)) {
        view.offset += step * (k.extents[d] - 1);
        view.stride[d] = -step;
      }
      step = size;
      if (chance(8)) step += 3;  // padded rows
    }
    if (chance(20)) {
      view.offset += 5;
      size += 5;
    }
    return view;
  }

  int add_buffer(DType dtype, std::int64_t size) {
    kernel().buffers.push_back(dtype);
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size) * size_of(dtype));
    for (std::int64_t i = 0; i < size; ++i)
      fill(dtype, bytes.data() + static_cast<std::size_t>(i) * size_of(dtype));
    case_->memory.push_back(std::move(bytes));
    case_->memory_of.push_back(static_cast<int>(case_->memory.size()) - 1);
    return static_cast<int>(kernel().buffers.size()) - 1;
  }

  void fill(DType dtype, std::uint8_t* p) {
    static constexpr float special[] = {0.0f, -0.0f, 1.0f, -1.0f, 1e30f, -1e-40f, 3e9f, 0.5f};
    float f = static_cast<float>(below(8001) - 4000) / 1000;
    if (chance(3)) f = special[below(8)];
    if (chance(1) && chance(20)) f = std::numeric_limits<float>::infinity();
    if (chance(1) && chance(20)) f = std::numeric_limits<float>::quiet_NaN();
    switch (dtype) {
      case DType::f32:
        std::memcpy(p, &f, 4);
        break;
      case DType::f16: {
        const float16 h(f);
        std::memcpy(p, &h, 2);
        break;
      }
      case DType::bf16: {
        const bfloat16 h(f);
        std::memcpy(p, &h, 2);
        break;
      }
      case DType::boolean:
        *p = chance(50);
        break;
      case DType::u8:
        *p = static_cast<std::uint8_t>(random_());
        break;
      default: {
        const auto w = chance(70) ? static_cast<std::uint32_t>(below(200) - 100)
                                  : static_cast<std::uint32_t>(random_());
        std::memcpy(p, &w, 4);
      }
    }
  }

  std::int16_t push(KernelInstr instr) {
    kernel().code.push_back(instr);
    return static_cast<std::int16_t>(count() - 1);
  }

  void add_source() {
    KernelInstr instr;
    instr.kept = chance(20);
    std::int64_t size;
    switch (below(10)) {
      case 0:
        instr.op = KernelOp::Const;
        instr.type = static_cast<Type>(below(3));
        instr.constant = instr.type == Type::f32 ? below(100) / 16.0 - 3
                                                 : below(100) - (instr.type == Type::i32 ? 50 : 0);
        break;
      case 1:
        instr.op = KernelOp::Scalar;
        instr.type = static_cast<Type>(below(3));
        instr.imm = below(3);
        break;
      case 2:
        instr.op = KernelOp::Iota;
        instr.type = static_cast<Type>(below(3));
        instr.view = make_view(instr.kept, false, size);
        break;
      case 3:
        instr.op = chance(50) ? KernelOp::RandomBits : KernelOp::RandomUniform;
        instr.type = instr.op == KernelOp::RandomBits ? Type::u32 : Type::f32;
        instr.imm = below(3);
        instr.view = make_view(instr.kept, false, size);
        break;
      default: {
        if (kernel().buffers.size() >= 11) return;
        static constexpr DType dtypes[] = {DType::f32, DType::f32,    DType::f32, DType::f32,
                                           DType::f16, DType::bf16,   DType::i32, DType::u8,
                                           DType::u32, DType::boolean};
        const DType dtype = dtypes[below(10)];
        instr.op = KernelOp::Load;
        instr.type = is_floating(dtype) ? Type::f32 : dtype == DType::u32 ? Type::u32 : Type::i32;
        instr.boolean = dtype == DType::boolean;
        instr.view = make_view(instr.kept, false, size);
        instr.imm = add_buffer(dtype, size);
      }
    }
    push(instr);
  }

  /// An earlier value of a type; makes one if there is none. kept: it must be kept.
  std::int16_t pick(Type type, bool kept) {
    std::vector<std::int16_t> found;
    for (std::int16_t i = 0; i < count(); ++i) {
      const KernelInstr& x = kernel().code[static_cast<std::size_t>(i)];
      if (x.type == type && (!kept || x.kept)) found.push_back(i);
    }
    if (!found.empty())  // prefer recent values: longer chains
      return found[std::max(static_cast<std::size_t>(below(static_cast<int>(found.size()))),
                            static_cast<std::size_t>(below(static_cast<int>(found.size()))))];
    KernelInstr instr;
    instr.op = KernelOp::Const;
    instr.type = type;
    instr.kept = kept;
    instr.constant = below(5);
    return push(instr);
  }

  struct Row {
    KernelOp kernel_op;
    Op op;
  };

  /// An elementwise row of the table: one that accepts floating types only, or one that does not.
  Row pick_row(bool floating) {
    static constexpr Row rows[] = {
#define GENERA_UNARY(Name, ...) {KernelOp::Name, Op::Name},
#define GENERA_BINARY(...) GENERA_UNARY(__VA_ARGS__)
#define GENERA_TERNARY(...) GENERA_UNARY(__VA_ARGS__)
#include "engine/graph/primitives.def"
    };
    std::vector<Row> found;
    for (const Row& row : rows)
      if ((info(row.op).accepts == Accepts::Floating) == floating) found.push_back(row);
    return found[static_cast<std::size_t>(below(static_cast<int>(found.size())))];
  }

  void add_instruction() {
    if (count() > 50) return;
    KernelInstr instr;
    bool reduces = false;
    for (int d = 0; d < kernel().rank; ++d)
      reduces |= kernel().reduced[static_cast<std::size_t>(d)];
    if (reduces && chance(20)) {
      instr.op = chance(60) ? KernelOp::ReduceSum : KernelOp::ReduceMax;
      instr.type = chance(70) ? Type::f32 : static_cast<Type>(below(3));
      instr.a = pick(instr.type, false);
      instr.boolean = instr.op == KernelOp::ReduceMax &&
                      kernel().code[static_cast<std::size_t>(instr.a)].boolean;
      instr.kept = true;
      push(instr);
      return;
    }
    instr.kept = chance(20);
    if (chance(15)) {
      instr.op = KernelOp::Cast;
      instr.type = static_cast<Type>(below(3));
      instr.a = pick(static_cast<Type>(below(3)), instr.kept);
      instr.boolean = instr.type == Type::i32 && chance(30);
      push(instr);
      return;
    }
    const Type type = chance(75) ? Type::f32 : static_cast<Type>(below(3));
    const Row row = pick_row(type == Type::f32 && chance(40));
    instr.op = row.kernel_op;
    instr.type = info(row.op).compares ? Type::i32 : type;
    instr.boolean = info(row.op).compares;
    std::int16_t* const operands[] = {&instr.a, &instr.b, &instr.c};
    for (int i = 0; i < info(row.op).inputs; ++i) {
      const bool condition = row.op == Op::Select && i == 0;
      *operands[i] = pick(condition ? Type::i32 : type, instr.kept);
    }
    push(instr);
  }

  void add_store() {
    KernelStore store;
    store.value = static_cast<std::int16_t>(std::max(below(count()), below(count())));
    const KernelInstr instr = kernel().code[static_cast<std::size_t>(store.value)];
    if (chance(30) && store_in_place(store, instr)) return;
    std::int64_t size;
    store.view = make_view(instr.kept, true, size);
    DType dtype = instr.type == Type::f32   ? DType::f32
                  : instr.type == Type::i32 ? DType::i32
                                            : DType::u32;
    if (instr.type == Type::f32 && chance(20)) dtype = chance(50) ? DType::f16 : DType::bf16;
    if (instr.type == Type::i32 && chance(30)) dtype = DType::u8;
    if (instr.boolean) dtype = DType::boolean;
    store.buffer = add_buffer(dtype, size);
    kernel().stores.push_back(store);
  }

  /// Stores over a buffer that is loaded with a one-to-one view and stored nowhere else.
  bool store_in_place(KernelStore& store, const KernelInstr& value) {
    Kernel& k = kernel();
    for (const KernelInstr& instr : k.code) {
      if (instr.op != KernelOp::Load || instr.kept != value.kept || instr.type != value.type)
        continue;
      const DType dtype = k.buffers[static_cast<std::size_t>(instr.imm)];
      if (dtype == DType::boolean && !value.boolean) continue;
      bool usable = true;
      for (int d = 0; d < k.rank; ++d) {
        const auto u = static_cast<std::size_t>(d);
        if (k.extents[u] != 1 && !(instr.kept && k.reduced[u]) && instr.view.stride[u] == 0)
          usable = false;
      }
      for (const KernelStore& s : k.stores)
        if (case_->memory_of[static_cast<std::size_t>(s.buffer)] ==
            case_->memory_of[static_cast<std::size_t>(instr.imm)])
          usable = false;
      if (!usable) continue;
      store.view = instr.view;
      store.buffer = instr.imm;
      if (chance(50)) {  // the same memory under another number
        k.buffers.push_back(dtype);
        case_->memory_of.push_back(case_->memory_of[static_cast<std::size_t>(instr.imm)]);
        store.buffer = static_cast<int>(k.buffers.size()) - 1;
      }
      k.stores.push_back(store);
      return true;
    }
    return false;
  }

  std::mt19937_64 random_;
  std::int64_t most_elements_;
  Case* case_ = nullptr;
};

}  // namespace genera::oracle
