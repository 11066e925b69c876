// OP-TEE's remoteproc application on a whole STM32MP157, without Linux: its states, what it does to the M4, and
// containers of every defect.

#include <random>

#include "host_sw/optee/remoteproc_ta.h"
#include "tests/host_sw/stm32mp157_tee_fixture.h"

namespace rpsim::test {
namespace {

using optee::remoteproc_ta;
using optee::tee_result;
using optee::tlv;
using testing::AnyOf;
using testing::ElementsAre;
using testing::IsEmpty;

std::span<const std::byte> bytes_of(const std::string& s) { return std::as_bytes(std::span(s)); }

void set_word(std::string& file, std::size_t at, std::uint32_t value) { std::memcpy(&file.at(at), &value, 4); }
std::uint32_t word(const std::string& file, std::size_t at) {
  std::uint32_t value = 0;
  std::memcpy(&value, &file.at(at), 4);
  return value;
}

class optee_test : public stm32mp157_tee_test {
 protected:
  static constexpr std::uint32_t M4 = 0, NOBODY = 1;

  /// Runs in the secure world, after OP-TEE's own probe.
  void in_secure_world(const std::function<void()>& body) {
    os::kernel kernel("host", board->host(), context, {});
    optee::stm32_remoteproc driver(kernel, board->tree().by_label("m4_rproc"));
    bool done = false;
    kernel.spawn("optee", [&] {
      ASSERT_EQ(driver.probe(), tee_result::success);
      ta.emplace(&driver, remoteproc_ta::work{[] {}, [](std::size_t) {}});
      body();
      done = true;
    });
    sc_core::sc_start(sc_core::sc_time(1000, sc_core::SC_SEC));
    EXPECT_TRUE(done);
  }
  tee_result load(const std::string& file) { return ta->load(M4, bytes_of(file)); }
  /// Back to OFF, without clearing the memories.
  void off() {
    EXPECT_EQ(ta->start(M4), tee_result::success);
    EXPECT_EQ(ta->stop(M4), tee_result::success);
  }
  /// Where the value of a record lies in the file.
  static std::size_t value_of(const std::string& file, tlv type) {
    const auto container = optee::signed_container::open(bytes_of(file));
    const auto value = container->find(type);
    return static_cast<std::size_t>(value->data() - bytes_of(file).data());
  }
  static std::size_t images_of(const std::string& file) {
    const auto container = optee::signed_container::open(bytes_of(file));
    return static_cast<std::size_t>(container->images().data() - bytes_of(file).data());
  }

  std::optional<remoteproc_ta> ta;
  remoteproc_ta::resource_table table;
};

// ------------------------------------------------------------------------------------------------------------ states

// reference/stm32mp1.md §8.2, row by row.
TEST_F(optee_test, every_command_in_every_state_gives_what_the_table_says) {
  make_tee();
  const std::string file = packed(image("rpmsg_echo"));
  in_secure_world([&] {
    EXPECT_EQ(load("no container"), tee_result::bad_parameters);  // the application knows the processor from here on
    for (int round = 0; round < 2; ++round) {
      EXPECT_EQ(ta->start(M4), tee_result::bad_state);
      EXPECT_EQ(ta->stop(M4), tee_result::success);
      EXPECT_EQ(ta->get_resource_table(M4, table), tee_result::bad_state);
      EXPECT_EQ(ta->release(M4), tee_result::success);

      EXPECT_EQ(load(file), tee_result::success);
      EXPECT_EQ(load("not looked at"), tee_result::success);
      EXPECT_EQ(ta->stop(M4), tee_result::bad_state);
      EXPECT_EQ(ta->get_resource_table(M4, table), tee_result::success);
      EXPECT_EQ(table.pa, TABLE);
      EXPECT_EQ(ta->release(M4), tee_result::success);
      EXPECT_EQ(ta->start(M4), tee_result::bad_state);

      EXPECT_EQ(load(file), tee_result::success);
      EXPECT_EQ(ta->start(M4), tee_result::success);
      EXPECT_EQ(load(file), tee_result::bad_state);
      EXPECT_EQ(ta->start(M4), tee_result::success);
      EXPECT_EQ(ta->get_resource_table(M4, table), tee_result::success);
      EXPECT_EQ(ta->release(M4), tee_result::bad_state);
      EXPECT_EQ(ta->stop(M4), tee_result::success);
    }
  });
}

TEST_F(optee_test, nothing_is_known_of_a_processor_before_its_first_load) {
  make_tee();
  in_secure_world([&] {
    EXPECT_EQ(ta->start(M4), tee_result::bad_parameters);
    EXPECT_EQ(ta->stop(M4), tee_result::bad_parameters);
    EXPECT_EQ(ta->get_resource_table(M4, table), tee_result::bad_parameters);
    EXPECT_EQ(ta->release(M4), tee_result::bad_parameters);
    EXPECT_EQ(ta->open_session(M4), tee_result::success);
    EXPECT_EQ(ta->open_session(NOBODY), tee_result::not_supported);
    EXPECT_EQ(ta->load(NOBODY, bytes_of("x")), tee_result::not_supported);
  });
}

TEST_F(optee_test, probe_start_and_stop_write_hold_boot_and_reset) {
  make_tee();
  const std::string file = packed(image("rpmsg_echo"));
  in_secure_world([&] {
    EXPECT_THAT(writes.take(), ElementsAre("MP_GCR=0", "MP_GRSTCSETR=2"));
    EXPECT_EQ(load(file), tee_result::success);
    EXPECT_THAT(writes.take(), IsEmpty());
    EXPECT_EQ(ta->start(M4), tee_result::success);
    EXPECT_THAT(writes.take(), ElementsAre("MP_GCR=1", "MP_GCR=0"));
    EXPECT_EQ(ta->stop(M4), tee_result::success);
    EXPECT_THAT(writes.take(), ElementsAre("MP_GCR=0", "MP_GRSTCSETR=2"));
  });
}

TEST_F(optee_test, segments_lie_where_dma_ranges_say_and_are_zeroes_after_the_release) {
  make_tee();
  const std::string elf = image("rpmsg_echo"), file = packed(elf);
  in_secure_world([&] {
    EXPECT_EQ(load(file), tee_result::success);
    const std::uint32_t vectors = word(elf, word(elf, 28) + 4);  // the first segment's offset
    EXPECT_EQ(memory(RETRAM, 64), elf.substr(vectors, 64));
    EXPECT_NE(memory(SRAM1, 64), std::string(64, '\0'));
    poke(SRAM4, 0x600DCAFE);
    EXPECT_EQ(ta->release(M4), tee_result::success);
    EXPECT_EQ(memory(RETRAM, 0x10000), std::string(0x10000, '\0'));
    EXPECT_EQ(memory(SRAM1, 0x40000), std::string(0x40000, '\0'));
    EXPECT_EQ(peek(SRAM4), 0x600DCAFE);  // in no memory region
  });
}

TEST_F(optee_test, firmware_may_have_no_resource_table) {
  make_tee();
  std::string elf = image("rpmsg_echo");
  elf[elf.find(".resource_table") + 1] = 'R';
  const std::string file = packed(elf);
  in_secure_world([&] {
    EXPECT_EQ(load(file), tee_result::success);
    EXPECT_EQ(ta->get_resource_table(M4, table), tee_result::success);
    EXPECT_EQ(table.size, 0u);
  });
}

// ------------------------------------------------------------------------------------------------ defects of
// containers

TEST_F(optee_test, a_container_with_a_wrong_header_is_bad_parameters) {
  make_tee();
  const std::string good = packed(image("rpmsg_echo"));
  in_secure_world([&] {
    for (const std::uint32_t at :
         {optee::MAGIC, optee::VERSION, optee::TLV_LENGTH, optee::SIGNATURE_LENGTH, optee::IMAGE_LENGTH}) {
      for (const std::uint32_t value : {0u, 2u, 0x7FFFFFF8u, 0x80000000u, 0xFFFFFFF8u, 0xFFFFFFFFu}) {
        std::string file = good;
        set_word(file, at, value);
        EXPECT_EQ(load(file), tee_result::bad_parameters) << at << " " << value;
      }
    }
    EXPECT_EQ(load(good + std::string(8, '\0')), tee_result::bad_parameters);
    EXPECT_EQ(load(""), tee_result::bad_parameters);
    EXPECT_EQ(load(good), tee_result::success);
  });
}

TEST_F(optee_test, a_container_cut_at_any_byte_is_bad_parameters) {
  make_tee();
  const std::string good = packed(image("rpmsg_echo"));
  in_secure_world([&] {
    for (std::size_t n = 0; n < good.size(); ++n) {
      // A buffer of exactly these bytes, so that a sanitizer sees every read behind them.
      const std::vector<char> cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(n));
      ASSERT_EQ(ta->load(M4, std::as_bytes(std::span(cut))), tee_result::bad_parameters) << n;
    }
  });
}

TEST_F(optee_test, signatures_are_looked_at_as_far_as_algorithm_and_length) {
  make_tee();
  const std::string good = packed(image("rpmsg_echo"));
  in_secure_world([&] {
    std::string file = good;
    file[value_of(good, tlv::sign_type)] = 2;  // ECDSA
    EXPECT_EQ(load(file), tee_result::not_supported);
    file[value_of(good, tlv::sign_type)] = 3;
    EXPECT_EQ(load(file), tee_result::not_supported);
    set_word(file, value_of(good, tlv::sign_type) - 8, 0x12345);  // another type: none is left
    EXPECT_EQ(load(file), tee_result::bad_parameters);

    file = good;
    set_word(file, optee::SIGNATURE_LENGTH, 255);  // padded, it fills the same place
    EXPECT_EQ(load(file), tee_result::signature_invalid);
    file = good;
    file.insert(images_of(good), 256, '\0');  // RSA-4096
    set_word(file, optee::SIGNATURE_LENGTH, 512);
    EXPECT_EQ(load(file), tee_result::success);
  });
}

TEST_F(optee_test, defects_of_the_records_have_results_of_their_own) {
  make_tee();
  const std::string good = packed(image("rpmsg_echo"));
  struct defect {
    tlv type;
    int at;  // relative to the value; the type is at -8, the length at -4
    std::uint32_t value;
    tee_result result;
  };
  const defect defects[] = {
      {tlv::hash_table, -8, 0x99, tee_result::no_data},
      {tlv::hash_table, -4, 63, tee_result::bad_parameters},
      {tlv::hash_table, -4, 0, tee_result::no_data},
      {tlv::hash_table, -4, 0xFFFFFFFF, tee_result::no_data},
      {tlv::image_count, -8, 0x99, tee_result::no_data},
      {tlv::image_count, -4, 2, tee_result::bad_format},
      {tlv::image_count, 0, 0, tee_result::no_data},
      {tlv::image_count, 0, 2, tee_result::bad_parameters},  // one type for two images
      {tlv::image_type, 0, 2, tee_result::bad_format},
      {tlv::image_type, -8, 0x99, tee_result::no_data},
      {tlv::image_size, -4, 3, tee_result::bad_parameters},
      {tlv::image_size, 0, 0, tee_result::bad_parameters},
      {tlv::image_size, 0, 0xFFFFFFF8, tee_result::bad_format},
      {tlv::hash_table, 12, 0x40, tee_result::no_data},      // no entry for the segment's address
      {tlv::hash_table, 0, 4, tee_result::bad_parameters},   // that entry is not PT_LOAD
      {tlv::hash_table, 20, 1, tee_result::bad_parameters},  // another p_memsz
      {tlv::hash_table, 32, 0xBAD, tee_result::security},    // another hash
  };
  in_secure_world([&] {
    for (const defect& d : defects) {
      std::string file = good;
      set_word(file, value_of(good, d.type) + static_cast<std::size_t>(d.at + 8) - 8, d.value);
      EXPECT_EQ(load(file), d.result) << static_cast<int>(d.type) << " at " << d.at << " = " << d.value << ": "
                                      << to_string(d.result);
    }
  });
}

TEST_F(optee_test, a_segment_that_does_not_have_its_hash_is_wiped) {
  make_tee();
  std::string elf = image("rpmsg_echo"), file = packed(elf);
  const std::uint32_t vectors = word(elf, word(elf, 28) + 4);
  file[images_of(file) + vectors] ^= 1;
  in_secure_world([&] {
    EXPECT_EQ(load(file), tee_result::security);
    EXPECT_EQ(memory(RETRAM, 0x298), std::string(0x298, '\0'));
    EXPECT_EQ(ta->start(M4), tee_result::bad_state);
  });
}

TEST_F(optee_test, segments_and_tables_outside_the_memory_regions_are_denied) {
  make_tee();
  const std::string elf = image("rpmsg_echo");
  in_secure_world([&] {
    for (const std::uint32_t da : {0x10050000u, 0xC0000000u, 0x1003FFF8u, 0xFFFFFFF0u}) {
      std::string changed = elf;
      set_word(changed, word(elf, 28) + 12, da);  // p_paddr of the first segment
      EXPECT_EQ(load(packed(changed)), tee_result::access_denied) << da;
    }
    std::string changed = elf;
    const std::size_t sections = word(elf, 32);
    for (std::size_t s = sections; s + 40 <= elf.size(); s += 40) {
      if (word(elf, s + 12) == TABLE) set_word(changed, s + 12, 0x10050000);
    }
    EXPECT_EQ(load(packed(changed)), tee_result::access_denied);
    EXPECT_EQ(load(packed(elf)), tee_result::success);
  });
}

TEST_F(optee_test, a_container_may_have_several_images_but_one_resource_table) {
  make_tee();
  const std::string with = image("rpmsg_echo");
  std::string without = with;
  without[without.find(".resource_table") + 1] = 'R';
  in_secure_world([&] {
    EXPECT_EQ(load(*optee::pack_container({without, with})), tee_result::success);
    EXPECT_EQ(ta->get_resource_table(M4, table), tee_result::success);
    EXPECT_EQ(table.pa, TABLE);
    off();
    EXPECT_EQ(load(*optee::pack_container({with, with})), tee_result::bad_format);
  });
}

/// Any bytes in the container's header, its records and the image's headers: an answer, and no state that is not
/// earned.
TEST_F(optee_test, mutated_containers_get_an_answer_and_write_nothing_outside_the_memory_regions) {
  make_tee();
  const std::string good = packed(image("rpmsg_echo"));
  const std::size_t images = images_of(good), sections = images + word(good, images + 32);
  in_secure_world([&] {
    poke(SRAM4, 0x600DCAFE);
    const std::string sram4 = memory(SRAM4, 0x10000);
    std::mt19937 random(1);
    const auto below = [&](std::size_t n) { return static_cast<std::size_t>(random() % n); };
    std::map<tee_result, int> seen;
    for (int i = 0; i < 3000; ++i) {
      std::string file = good;
      for (std::size_t changes = 1 + below(3); changes != 0; --changes) {
        const std::size_t areas[][2] = {{8, 12},
                                        {optee::CONTAINER_HEADER_BYTES, word(good, optee::TLV_LENGTH)},
                                        {images, 52 + 32 * 4},
                                        {sections, file.size() - sections}};
        const auto& [begin, length] = areas[i % 10 == 0 ? 0 : 1 + below(3)];
        const std::size_t at = begin + below(length);
        const std::uint32_t values[] = {0,          1,          4,          0x7FFFFFFF,
                                        0x80000000, 0xFFFFFFF8, 0xFFFFFFFF, static_cast<std::uint32_t>(random())};
        if (below(2) == 0) {
          file[at] = static_cast<char>(random());
        } else if (const std::size_t aligned = begin + (at - begin) / 4 * 4; aligned + 4 <= file.size()) {
          set_word(file, aligned, values[below(std::size(values))]);
        }
      }
      const std::vector<char> exact(file.begin(), file.end());
      const tee_result r = ta->load(M4, std::as_bytes(std::span(exact)));
      ++seen[r];
      if (r == tee_result::success) {
        off();
      } else {
        ASSERT_EQ(ta->start(M4), tee_result::bad_state) << i;
      }
    }
    EXPECT_EQ(memory(SRAM4, 0x10000), sram4);
    for (const tee_result r : {tee_result::success, tee_result::bad_parameters, tee_result::bad_format,
                               tee_result::no_data, tee_result::security, tee_result::access_denied}) {
      EXPECT_GT(seen[r], 0) << to_string(r);
    }
  });
}

}  // namespace
}  // namespace rpsim::test
