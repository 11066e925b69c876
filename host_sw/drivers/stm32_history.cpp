#include "host_sw/drivers/stm32_history.h"

#include <algorithm>
#include <array>
#include <utility>

namespace rpsim::drivers {

stm32_history stm32_history_of(std::string_view core) {
  using regions = stm32_history::regions;
  using detach_op = stm32_history::detach_op;
  constexpr stm32_history V5{regions::prepared, detach_op::dummy, false, false};
  // A name that is not here: linux-source-6.12.
  constexpr std::array<std::pair<std::string_view, stm32_history>, 8> OLDER{{
      {"v4", {regions::once, detach_op::none, true, false}},
      {"v4+arnaud-1", {regions::once, detach_op::dummy, true, false}},
      {"v4+arnaud-2", {regions::prepared, detach_op::dummy, true, false}},
      {"v4+arnaud", {regions::prepared, detach_op::dummy, true, false}},
      {"v5", V5},
      {"v6", V5},
      {"v7", V5},
      {"v8", {regions::prepared, detach_op::mailbox, false, false}},
  }};
  const auto found = std::ranges::find(OLDER, core, &std::pair<std::string_view, stm32_history>::first);
  return found == OLDER.end() ? stm32_history{} : found->second;
}

}  // namespace rpsim::drivers
