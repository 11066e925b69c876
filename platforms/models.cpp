#include <algorithm>

#include "models/core/arm/cortex_m4.h"
#include "models/core/arm/cortex_r5.h"
#include "models/core/gic.h"
#include "models/core/native_core.h"
#include "models/core/native_host_core.h"
#include "models/interconnect/r5f_tcm.h"
#include "models/interconnect/rat.h"
#include "models/ipcc/stm32_ipcc.h"
#include "models/mailbox/ti_mailbox.h"
#include "models/memory/memory.h"
#include "models/rti/rti.h"
#include "models/scenario_control/scenario_control.h"
#include "models/stm32/stm32_exti.h"
#include "models/stm32/stm32_gpio.h"
#include "models/stm32/stm32_hsem.h"
#include "models/stm32/stm32_pwr.h"
#include "models/stm32/stm32_rcc.h"
#include "models/stm32/stm32_tamp.h"
#include "models/stm32/stm32_wwdg.h"
#include "models/stub/stub.h"
#include "models/ti_sci/device_manager.h"
#include "models/ti_sci/secure_proxy.h"
#include "models/timer/dm_timer.h"
#include "models/timer/stm32_tim.h"
#include "models/uart/k3_uart.h"
#include "models/uart/stm32_usart.h"
#include "platforms/platform.h"

namespace rpsim {

bool has_arm_engine(const dt::node& core) {
  const auto kinds = core.compatible();
  return std::ranges::any_of(kinds, [](const std::string& c) {
    return c == "arm,cortex-m4f" || c == "arm,cortex-m4" || c == "arm,cortex-r5f";
  });
}

namespace {
/// The firmware as a native image, or as its instructions where the scenario says so.
std::unique_ptr<model> make_remote_core(const char* name, sim_context& context, const dt::node& node) {
  if (!context.arm_cores.contains(name)) return std::make_unique<native_core>(name, context, node);
  if (node.is_compatible("arm,cortex-r5f")) return std::make_unique<cortex_r5>(name, context, node);
  return std::make_unique<cortex_m4>(name, context, node);
}
}  // namespace

void register_models(model_factory& factory) {
  factory.add<native_host_core>("rpsim,host-core");
  factory.add("rpsim,native-core", make_remote_core);
  factory.add<gic>("arm,gic-v3");
  factory.add<rat>("rpsim,rat");
  factory.add<r5f_tcm>("rpsim,r5f-tcm");
  factory.add<ddr>("rpsim,ddr");
  factory.add<sram>("rpsim,sram");
  factory.add<ti_mailbox>("ti,am64-mailbox");
  factory.add<ti_mailbox>("ti,am654-mailbox");
  factory.add<secure_proxy>("ti,am654-secure-proxy");
  factory.add<device_manager>("rpsim,ti-sci-device-manager");
  factory.add<dm_timer>("ti,am654-timer");
  factory.add<rti>("ti,j7-rti-wdt");
  factory.add<scenario_control>("rpsim,scenario-control");
  factory.add<stm32_ipcc>("st,stm32mp1-ipcc");
  factory.add<stm32_rcc>("st,stm32mp1-rcc");
  factory.add<stm32_pwr>("rpsim,stm32mp1-pwr");
  factory.add<stm32_tamp>("st,stm32-tamp");
  factory.add<stm32_exti>("st,stm32mp1-exti");
  factory.add<stm32_wwdg>("rpsim,stm32mp1-wwdg");
  factory.add<stm32_hsem>("st,stm32-hwspinlock");
  factory.add<stm32_gpio>("rpsim,stm32mp1-gpio");
  factory.add<stm32_tim>("rpsim,stm32mp1-tim");
  factory.add<stm32_usart>("st,stm32h7-uart");
  factory.add<k3_uart>("ti,am64-uart");
  factory.add<stub>("rpsim,stub");
}

}  // namespace rpsim
